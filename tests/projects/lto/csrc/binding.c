#include <Python.h>

double root(double number);

static PyObject *call(PyObject *self, PyObject *number)
{
    double value = PyFloat_AsDouble(number);
    (void)self;
    return PyErr_Occurred() ? NULL : PyFloat_FromDouble(root(value));
}

static PyMethodDef methods[] = {{"root", call, METH_O, "Return the signed root."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "lto_kernel", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_lto_kernel(void)
{
    return PyModule_Create(&module);
}
