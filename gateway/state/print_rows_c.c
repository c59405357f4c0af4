/* Rows of the table of prints: `print_rows.py` says what they are, and a test holds both equal.

   It is C because a post looks at a hundred rows and changes fifteen, which takes Python some
   hundred steps each. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { HEAD = 4096, ENTRIES = 16, OLDEST = 4, LISTED = 12 };

typedef struct {
    uint16_t marks[ENTRIES];
    uint32_t numbers[ENTRIES];
} Row;

typedef struct {
    Py_buffer memory, prints;
    Row *rows;
    uint32_t mask, salt;
    const char *values;
    Py_ssize_t count;
} Asked;

static uint16_t mark_of(uint32_t value) {
    return (uint16_t)(value >> 16);
}

static uint32_t value_of(const Asked *asked, Py_ssize_t place) {
    uint32_t value;
    memcpy(&value, asked->values + place * (Py_ssize_t)sizeof value, sizeof value);
    return value ^ asked->salt;
}

static void release(Asked *asked) {
    PyBuffer_Release(&asked->memory);
    PyBuffer_Release(&asked->prints);
}

/* Take the buffers apart; what is released on failure. */
static int take(Asked *asked) {
    Py_ssize_t rows = (asked->memory.len - HEAD) / (Py_ssize_t)sizeof(Row);
    if (rows < 1 || (rows & (rows - 1)) || asked->memory.len != HEAD + rows * (Py_ssize_t)sizeof(Row)) {
        PyErr_SetString(PyExc_ValueError, "this is no table of prints");
        release(asked);
        return 0;
    }
    asked->rows = (Row *)((char *)asked->memory.buf + HEAD);
    asked->mask = (uint32_t)(rows - 1);
    asked->values = asked->prints.buf;
    asked->count = asked->prints.len / (Py_ssize_t)sizeof(uint32_t);
    return 1;
}

static PyObject *hits(PyObject *self, PyObject *args) {
    Asked asked;
    if (!PyArg_ParseTuple(args, "y*y*I", &asked.memory, &asked.prints, &asked.salt) || !take(&asked))
        return NULL;
    PyObject *found = PyList_New(0);
    for (Py_ssize_t place = 0; found != NULL && place < asked.count; place++) {
        uint32_t value = value_of(&asked, place);
        const Row *row = &asked.rows[value & asked.mask];
        for (int entry = 0; entry < ENTRIES; entry++) {
            uint32_t number = row->numbers[entry];
            if (row->marks[entry] != mark_of(value) || number == 0)
                continue;
            PyObject *told = PyLong_FromUnsignedLong(number);
            if (told == NULL || PyList_Append(found, told) < 0)
                Py_CLEAR(found);
            Py_XDECREF(told);
            if (found == NULL)
                break;
        }
    }
    release(&asked);
    return found;
}

/* Give the entry that a post takes in a row; -1 where it is not to have one. */
static int place_in(const Row *row, uint16_t mark, uint32_t number, uint64_t first) {
    uint32_t own[ENTRIES + 1];
    int count = 0, oldest = -1;
    for (int entry = 0; entry < ENTRIES; entry++) {
        uint32_t each = row->numbers[entry];
        if (row->marks[entry] == mark && each >= first) {
            if (each == number)
                return -1;
            int at = count++;
            for (; at > 0 && own[at - 1] > each; at--)
                own[at] = own[at - 1];
            own[at] = each;
        } else if (oldest < 0 || each < row->numbers[oldest]) {
            oldest = entry; /* free, or of a post that is gone, or the oldest */
        }
    }
    if (count < LISTED)
        return oldest;
    uint32_t leaves = own[OLDEST]; /* neither of the oldest few nor of the newest */
    if (number < leaves)
        leaves = number > own[OLDEST - 1] ? number : own[OLDEST - 1];
    if (leaves == number)
        return -1;
    for (int entry = 0;; entry++)
        if (row->marks[entry] == mark && row->numbers[entry] == leaves)
            return entry;
}

static PyObject *add(PyObject *self, PyObject *args) {
    Asked asked;
    unsigned int number;
    unsigned long long first;
    if (!PyArg_ParseTuple(args, "w*y*IIK", &asked.memory, &asked.prints, &asked.salt, &number, &first)
        || !take(&asked))
        return NULL;
    for (Py_ssize_t place = 0; place < asked.count; place++) {
        uint32_t value = value_of(&asked, place);
        Row *row = &asked.rows[value & asked.mask];
        int entry = place_in(row, mark_of(value), number, first);
        if (entry >= 0) {
            row->numbers[entry] = number;
            row->marks[entry] = mark_of(value);
        }
    }
    release(&asked);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"hits", hits, METH_VARARGS, NULL},
    {"add", add, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "print_rows_c", "Rows of the table of prints.", 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_print_rows_c(void) {
    return PyModuleDef_Init(&module);
}
