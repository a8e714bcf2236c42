#include <math.h>

double root(double number)
{
    return number < 0 ? -sqrt(-number) : sqrt(number);
}
