// The Python interface: arrays are buffers of float ("f") or signed char ("b"), such as array.array and numpy's.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <vector>

#include "kernels.hpp"

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

namespace {

class Vector {
public:
    ~Vector() { if (held_) PyBuffer_Release(&view_); }

    bool read(PyObject* object, char format) {
        if (PyObject_GetBuffer(object, &view_, PyBUF_CONTIG_RO | PyBUF_FORMAT) != 0) return false;
        held_ = true;
        if (view_.ndim == 1 && view_.format && view_.format[0] == format && view_.format[1] == '\0') return true;
        PyErr_Format(PyExc_TypeError, "a buffer of one dimension and format '%c' is needed", format);
        return false;
    }

    std::size_t size() const { return static_cast<std::size_t>(view_.len / view_.itemsize); }
    template <typename T> const T* data() const { return static_cast<const T*>(view_.buf); }

private:
    Py_buffer view_{};
    bool held_ = false;
};

bool read_both(PyObject* args, char format, Vector& a, Vector& b) {
    PyObject *left, *right;
    if (!PyArg_ParseTuple(args, "OO", &left, &right) || !a.read(left, format) || !b.read(right, format)) return false;
    if (a.size() == b.size()) return true;
    PyErr_SetString(PyExc_ValueError, "the vectors have different lengths");
    return false;
}

PyObject* dot_f32(PyObject*, PyObject* args) {
    Vector a, b;
    if (!read_both(args, 'f', a, b)) return nullptr;
    return PyFloat_FromDouble(simd_dot::dot_f32(a.data<float>(), b.data<float>(), a.size()));
}

PyObject* dot_i8(PyObject*, PyObject* args) {
    Vector a, b;
    if (!read_both(args, 'b', a, b)) return nullptr;
    return PyLong_FromLong(simd_dot::dot_i8(a.data<std::int8_t>(), b.data<std::int8_t>(), a.size()));
}

PyObject* dot_bf16(PyObject*, PyObject* args) {
    Vector a, b;
    if (!read_both(args, 'f', a, b)) return nullptr;
    std::vector<std::uint16_t> left(a.size()), right(b.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
        left[i] = simd_dot::to_bf16(a.data<float>()[i]);
        right[i] = simd_dot::to_bf16(b.data<float>()[i]);
    }
    return PyFloat_FromDouble(simd_dot::dot_bf16(left.data(), right.data(), left.size()));
}

PyMethodDef methods[] = {
    {"dot_f32", dot_f32, METH_VARARGS, "The dot product of two buffers of floats."},
    {"dot_i8", dot_i8, METH_VARARGS, "The dot product of two buffers of signed bytes."},
    {"dot_bf16", dot_bf16, METH_VARARGS, "The dot product of two buffers of floats, rounded to bfloat16."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_dot", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__dot() {
    if (!simd_dot::prepare()) {
        PyErr_SetString(PyExc_ImportError, "the kernel does not let this process use the tile registers");
        return nullptr;
    }
    PyObject* module = PyModule_Create(&definition);
    if (module && PyModule_AddStringConstant(module, "LEVEL", TEXT(SIMD_DOT_LEVEL)) != 0) Py_CLEAR(module);
    return module;
}
