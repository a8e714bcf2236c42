int deep_answer(void)
{
    return 42;
}
