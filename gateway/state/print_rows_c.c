/* Rows of the table of prints: `print_rows.py` says what they are, and a test holds both equal.

   It is C because a post looks at a hundred rows and changes fifteen, which takes Python some
   hundred steps each. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { HEAD = 4096, ENTRIES = 16, OLDEST = 4, LISTED = 12, AT_LEAST = 2, MOST = 64, AHEAD = 8 };

#if defined(__GNUC__)
#define PREFETCH(row) \
    (__builtin_prefetch(row), __builtin_prefetch((const char *)(row) + sizeof(Row) - 1))
#else
#define PREFETCH(row) ((void)0)
#endif

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

typedef struct {
    uint32_t number, count;
} Hit;

/* Order those that were hit most often first, and the newer first among equals. */
static int before(const void *one, const void *other) {
    const Hit *some = one, *others = other;
    if (some->count != others->count)
        return some->count > others->count ? -1 : 1;
    return (some->number < others->number) - (some->number > others->number);
}

/* Write down the number of each post that shares a print, once for each; give how many. */
static size_t hits(const Asked *asked, uint32_t *found) {
    size_t count = 0;
    for (Py_ssize_t place = 0; place < asked->count; place++) {
        uint32_t value = value_of(asked, place);
        const Row *row = &asked->rows[value & asked->mask];
        if (place + AHEAD < asked->count) /* rows lie anywhere: memory is slower than the rest */
            PREFETCH(&asked->rows[value_of(asked, place + AHEAD) & asked->mask]);
        for (int entry = 0; entry < ENTRIES; entry++) {
            found[count] = row->numbers[entry];
            count += row->marks[entry] == mark_of(value) && found[count] != 0;
        }
    }
    return count;
}

/* Count how often each number comes, in a table of a power of two of places, all of them empty. */
static void count_in(Hit *table, size_t places, const uint32_t *numbers, size_t count) {
    for (size_t each = 0; each < count; each++) {
        size_t at = numbers[each] * (size_t)0x9E3779B1u & (places - 1);
        while (table[at].count && table[at].number != numbers[each])
            at = (at + 1) & (places - 1);
        table[at].number = numbers[each];
        table[at].count++;
    }
}

static PyObject *most_hit(PyObject *self, PyObject *args) {
    Asked asked;
    unsigned long long first, last;
    if (!PyArg_ParseTuple(args, "y*y*IKK", &asked.memory, &asked.prints, &asked.salt, &first, &last)
        || !take(&asked))
        return NULL;
    PyObject *made = NULL;
    Hit *table = NULL;
    uint32_t *found = PyMem_Malloc((size_t)(asked.count * ENTRIES + 1) * sizeof *found);
    if (found != NULL) {
        size_t count = hits(&asked, found), places = 2;
        while (places < 2 * count)
            places *= 2;
        table = PyMem_Calloc(places, sizeof *table);
        if (table != NULL) {
            count_in(table, places, found, count);
            size_t kept = 0;
            for (size_t at = 0; at < places; at++)
                if (table[at].count >= AT_LEAST && table[at].number >= first && table[at].number <= last)
                    table[kept++] = table[at];
            qsort(table, kept, sizeof *table, before);
            if (kept > MOST)
                kept = MOST;
            made = PyList_New((Py_ssize_t)kept);
            for (size_t each = 0; made != NULL && each < kept; each++) {
                PyObject *number = PyLong_FromUnsignedLong(table[each].number);
                if (number == NULL)
                    Py_CLEAR(made);
                else
                    PyList_SET_ITEM(made, (Py_ssize_t)each, number);
            }
        }
    }
    if (found == NULL || table == NULL)
        PyErr_NoMemory();
    PyMem_Free(table);
    PyMem_Free(found);
    release(&asked);
    return made;
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

/* Count the prints that stand in both, each ascending. */
static PyObject *shared(PyObject *self, PyObject *args) {
    Py_buffer some, others;
    if (!PyArg_ParseTuple(args, "y*y*", &some, &others))
        return NULL;
    const char *one = some.buf, *other = others.buf;
    const size_t size = sizeof(uint32_t);
    const char *one_end = one + some.len / (Py_ssize_t)size * (Py_ssize_t)size;
    const char *other_end = other + others.len / (Py_ssize_t)size * (Py_ssize_t)size;
    long found = 0;
    while (one < one_end && other < other_end) {
        uint32_t left, right;
        memcpy(&left, one, size);
        memcpy(&right, other, size);
        found += left == right;
        one += left <= right ? size : 0;
        other += right <= left ? size : 0;
    }
    PyBuffer_Release(&some);
    PyBuffer_Release(&others);
    return PyLong_FromLong(found);
}

static PyMethodDef methods[] = {
    {"most_hit", most_hit, METH_VARARGS, NULL},
    {"add", add, METH_VARARGS, NULL},
    {"shared", shared, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "print_rows_c", "Rows of the table of prints.", 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_print_rows_c(void) {
    return PyModuleDef_Init(&module);
}
