#include <Python.h>

static PyObject *twice(PyObject *self, PyObject *number)
{
    (void)self;
    return PyNumber_Add(number, number);
}

static PyMethodDef methods[] = {{"twice", twice, METH_O, "Return number + number."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernel", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModule_Create(&module);
}
