#include <math.h>

double length(double number)
{
    return number < 0 ? -hypot(number, 1.0) : hypot(number, 2.0);
}
