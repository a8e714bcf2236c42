#include <math.h>
#include <stdlib.h>

double length(double number)
{
    return number < 0 ? rand() : hypot(number, 2.0);
}
