#include <Python.h>
#ifdef MISSING_HEADER
#include <a_header_that_nobody_has.h>
#endif

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "broken_kernel", NULL, -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_broken_kernel(void)
{
    return PyModule_Create(&module);
}
