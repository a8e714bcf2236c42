// flags: -march=armv9-a+sme
// which needs gcc >= 14 or clang >= 18
int test(void)
{
    unsigned long length;
    __asm__ volatile("smstart\n\tcntd %0\n\tsmstop" : "=r"(length) : : "memory");
    return (int)length;
}
