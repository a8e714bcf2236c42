#include <Python.h>

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "stable_kernel", NULL, -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_stable_kernel(void)
{
    return PyModule_Create(&module);
}
