#include <Python.h>

double length(double number);

static PyObject *call(PyObject *self, PyObject *number)
{
    double value = PyFloat_AsDouble(number);
    (void)self;
    return PyErr_Occurred() ? NULL : PyFloat_FromDouble(length(value));
}

static PyMethodDef methods[] = {{"length", call, METH_O, "Return a length."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "lto_kernel", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_lto_kernel(void)
{
    return PyModule_Create(&module);
}
