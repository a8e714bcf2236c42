#include <Python.h>

int deep_answer(void);

static PyObject *answer(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyLong_FromLong(deep_answer());
}

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, "Return the answer."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_binding", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__binding(void)
{
    return PyModule_Create(&module);
}
