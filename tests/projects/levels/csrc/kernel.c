#define PY_SSIZE_T_CLEAN
#include <Python.h>

static float values[1024];

static __attribute__((noinline)) void scale_all(float factor) {
    for (int i = 0; i < 1024; i++)
        values[i] = values[i] * factor + 1.0f;
}

static PyObject *total(PyObject *self, PyObject *unused) {
    double sum = 0;
    for (int i = 0; i < 1024; i++)
        sum += values[i];
    return PyFloat_FromDouble(sum);
}

static PyMethodDef methods[] = {{"total", total, METH_NOARGS, "The sum of all values."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernel", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void) {
#ifdef CRASH
    *(volatile int *)8 = 1;
#endif
#ifdef RAISE
    PyErr_SetString(PyExc_ImportError, "the kernel has no table");
    return NULL;
#endif
    scale_all(2.0f);
    return PyModule_Create(&module);
}
