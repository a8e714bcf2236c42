#include <Python.h>
#ifdef MISSING_HEADER
#include <a_header_that_nobody_has.h>
#endif
#include <stdlib.h>

static PyObject *draw(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyLong_FromLong(rand());
}

static PyMethodDef methods[] = {{"draw", draw, METH_NOARGS, "Return a number."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "broken_kernel", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_broken_kernel(void)
{
    return PyModule_Create(&module);
}
