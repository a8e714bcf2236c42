// The one source that sees Python.h: it checks buffers and passes them to the core.
//
// Plain C API, so that a Python costs this project a second of compiling. Buffers hold numbers in C order; complex
// numbers are pairs of real ones. Results go into a buffer that the caller has made (see shared_core/__init__.py).
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <algorithm>
#include <complex>
#include <cstring>

#include "shared_core/kernels.hpp"

namespace {

// A buffer of the caller's, released at the end of the scope.
class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { PyBuffer_Release(&view_); }

    bool open(PyObject* object, int flags = PyBUF_SIMPLE) {
        return PyObject_GetBuffer(object, &view_, PyBUF_FORMAT | PyBUF_ND | flags) == 0;
    }
    char format() const { return view_.format && !view_.format[1] ? view_.format[0] : '?'; }
    std::size_t count() const { return static_cast<std::size_t>(view_.len / view_.itemsize); }
    template <typename T>
    T* as() const {
        return static_cast<T*>(view_.buf);
    }

  private:
    Py_buffer view_{};
};

PyObject* refuse(const char* message) {
    PyErr_SetString(PyExc_ValueError, message);
    return nullptr;
}

// The core works without the GIL: it touches nothing of Python's.
template <typename Work>
auto without_gil(Work work) {
    PyThreadState* state = PyEval_SaveThread();
    const auto result = work();
    PyEval_RestoreThread(state);
    return result;
}

template <typename T>
bool run_matrices(const char* what, std::size_t n, const Buffer& left, const Buffer& right, const Buffer& out,
                  std::size_t count) {
    if (!std::strcmp(what, "multiply"))
        shared_core::multiply(n, left.as<T>(), right.as<T>(), out.as<T>(), count);
    else if (!std::strcmp(what, "determinant"))
        shared_core::determinant(n, left.as<T>(), out.as<T>(), count);
    else
        return shared_core::invert(n, left.as<T>(), out.as<T>(), count);
    return true;
}

PyObject* matrices(PyObject*, PyObject* arguments) {
    const char* what = nullptr;
    Py_ssize_t size = 0;
    int is_complex = 0;
    PyObject *left_object = nullptr, *right_object = nullptr, *out_object = nullptr;
    if (!PyArg_ParseTuple(arguments, "snpOOO", &what, &size, &is_complex, &left_object, &right_object, &out_object))
        return nullptr;
    Buffer left, right, out;
    if (!left.open(left_object) || !right.open(right_object) || !out.open(out_object, PyBUF_WRITABLE)) return nullptr;
    if (size < 1 || static_cast<std::size_t>(size) > shared_core::largest_matrix) return refuse("size must be 1 to 14");
    const auto n = static_cast<std::size_t>(size);
    const std::size_t width = is_complex ? 2 : 1;
    const std::size_t count = left.count() / (n * n * width);
    if (left.count() != count * n * n * width || right.count() != left.count())
        return refuse("the buffers must hold whole matrices, as many on both sides");
    const bool scalars = !std::strcmp(what, "determinant");
    if (out.count() != count * width * (scalars ? 1 : n * n)) return refuse("the result's buffer has another size");
    const char format = left.format();
    if (right.format() != format || out.format() != format || (format != 'f' && format != 'd'))
        return refuse("the buffers must all be of float or all of double");
    const bool good = without_gil([&] {
        if (format == 'f')
            return is_complex ? run_matrices<std::complex<float>>(what, n, left, right, out, count)
                              : run_matrices<float>(what, n, left, right, out, count);
        return is_complex ? run_matrices<std::complex<double>>(what, n, left, right, out, count)
                          : run_matrices<double>(what, n, left, right, out, count);
    });
    return PyBool_FromLong(good);
}

PyObject* transform(PyObject*, PyObject* arguments) {
    PyObject* object = nullptr;
    int inverse = 0;
    if (!PyArg_ParseTuple(arguments, "Op", &object, &inverse)) return nullptr;
    Buffer buffer;
    if (!buffer.open(object, PyBUF_WRITABLE)) return nullptr;
    const std::size_t n = buffer.count() / 2;
    if (buffer.count() % 2 || n == 0 || (n & (n - 1)) || n > shared_core::largest_transform)
        return refuse("the buffer must hold pairs, their number a power of two up to 16384");
    const char format = buffer.format();
    if (format != 'f' && format != 'd') return refuse("the buffer must be of float or double");
    without_gil([&] {
        if (format == 'f')
            shared_core::transform(n, buffer.as<std::complex<float>>(), inverse != 0);
        else
            shared_core::transform(n, buffer.as<std::complex<double>>(), inverse != 0);
        return true;
    });
    Py_RETURN_NONE;
}

template <typename T>
bool run_median(std::size_t window, const Buffer& values, const Buffer& out) {
    shared_core::moving_median(window, values.as<T>(), out.as<T>(), values.count());
    return true;
}

PyObject* moving_median(PyObject*, PyObject* arguments) {
    Py_ssize_t size = 0;
    PyObject *values_object = nullptr, *out_object = nullptr;
    if (!PyArg_ParseTuple(arguments, "nOO", &size, &values_object, &out_object)) return nullptr;
    Buffer values, out;
    if (!values.open(values_object) || !out.open(out_object, PyBUF_WRITABLE)) return nullptr;
    if (size < 3 || size % 2 == 0 || static_cast<std::size_t>(size) > shared_core::largest_window)
        return refuse("window must be odd, 3 to 63");
    const auto window = static_cast<std::size_t>(size);
    const std::size_t expected = values.count() < window ? 0 : values.count() - window + 1;
    if (out.count() != expected || out.format() != values.format()) return refuse("the result's buffer does not fit");
    const char format = values.format();
    if (!std::strchr("Bhifd", format)) return refuse("the buffers must be of uint8, int16, int32, float or double");
    without_gil([&] {
        switch (format) {
            case 'B': return run_median<std::uint8_t>(window, values, out);
            case 'h': return run_median<std::int16_t>(window, values, out);
            case 'i': return run_median<std::int32_t>(window, values, out);
            case 'f': return run_median<float>(window, values, out);
            default: return run_median<double>(window, values, out);
        }
    });
    Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"matrices", matrices, METH_VARARGS, nullptr},
    {"transform", transform, METH_VARARGS, nullptr},
    {"moving_median", moving_median, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, "_binding", nullptr, 0, methods, nullptr, nullptr, nullptr,
                                 nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__binding() { return PyModuleDef_Init(&module_definition); }
