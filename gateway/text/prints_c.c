/* Prints and their sets: `prints_numpy.py` says what they are, and a test holds both equal.

   It is C because what it does, some thousand steps of arithmetic modulo 2 ** 64 for a short post,
   costs Python a hundred times as much, and numpy as much again in calls as in work. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { GRAM = 9, WINDOW = 5, FEW = 48 };
static const uint64_t FACTOR = 0x9E3779B97F4A7C15u, MIXER = 0xBF58476D1CE4E5B9u;

static uint32_t mixed(uint64_t nine) {
    return (uint32_t)(((nine ^ (nine >> 29)) * MIXER) >> 32);
}

/* Hash each run of nine letters, and give the smallest of every five neighbours. */
static PyObject *winnow(PyObject *self, PyObject *letters) {
    if (!PyUnicode_Check(letters))
        return PyErr_Format(PyExc_TypeError, "letters are a str");
    Py_ssize_t length = PyUnicode_GET_LENGTH(letters);
    int kind = PyUnicode_KIND(letters);
    const void *data = PyUnicode_DATA(letters);
    Py_ssize_t grams = length < GRAM ? length > 0 : length - GRAM + 1;
    Py_ssize_t windows = grams < WINDOW ? grams > 0 : grams - WINDOW + 1;
    PyObject *made = PyBytes_FromStringAndSize(NULL, windows * (Py_ssize_t)sizeof(uint32_t));
    if (made == NULL || windows == 0)
        return made;
    char *out = PyBytes_AS_STRING(made);
    uint64_t nine = 0, leaving = 1;
    for (int each = 0; each < GRAM; each++) {
        nine = nine * FACTOR + (each < length ? PyUnicode_READ(kind, data, each) : 0);
        leaving *= FACTOR;
    }
    uint32_t last[WINDOW];
    for (Py_ssize_t at = 0; at < grams; at++) {
        if (at > 0)
            nine = nine * FACTOR + PyUnicode_READ(kind, data, at + GRAM - 1)
                 - leaving * PyUnicode_READ(kind, data, at - 1);
        last[at % WINDOW] = mixed(nine);
        if (at < WINDOW - 1 && at < grams - 1)
            continue;
        uint32_t smallest = last[0];
        for (int each = 1; each < WINDOW && each <= at; each++)
            if (last[each] < smallest)
                smallest = last[each];
        memcpy(out, &smallest, sizeof smallest);
        out += sizeof smallest;
    }
    return made;
}

/* Sort so few numbers that looking for the place of each costs less than counting. */
static void insert(uint32_t *numbers, Py_ssize_t count) {
    for (Py_ssize_t each = 1; each < count; each++) {
        uint32_t number = numbers[each];
        Py_ssize_t at = each;
        for (; at > 0 && numbers[at - 1] > number; at--)
            numbers[at] = numbers[at - 1];
        numbers[at] = number;
    }
}

/* Sort numbers of so many bytes, by counting each byte; what was moved to `other` comes back. */
static void count_out(uint32_t *numbers, uint32_t *other, Py_ssize_t count, int bytes) {
    for (int shift = 0; shift < 8 * bytes; shift += 8) { /* two or four times */
        Py_ssize_t places[257] = {0};
        for (Py_ssize_t each = 0; each < count; each++)
            places[((numbers[each] >> shift) & 0xFF) + 1]++;
        for (int each = 0; each < 256; each++)
            places[each + 1] += places[each];
        for (Py_ssize_t each = 0; each < count; each++)
            other[places[(numbers[each] >> shift) & 0xFF]++] = numbers[each];
        uint32_t *swapped = numbers;
        numbers = other;
        other = swapped;
    }
}

/* Sort numbers of so many bytes in place, each once, and give how many are left. */
static Py_ssize_t sort(uint32_t *numbers, uint32_t *other, Py_ssize_t count, int bytes) {
    if (count <= FEW)
        insert(numbers, count);
    else
        count_out(numbers, other, count, bytes);
    Py_ssize_t left = 0;
    for (Py_ssize_t each = 0; each < count; each++)
        if (each == 0 || numbers[each] != numbers[left - 1])
            numbers[left++] = numbers[each];
    return left;
}

/* Give so many numbers as so many bytes each. */
static PyObject *packed(const uint32_t *numbers, Py_ssize_t count, int bytes) {
    PyObject *made = PyBytes_FromStringAndSize(NULL, count * bytes);
    for (Py_ssize_t each = 0; made != NULL && each < count; each++) {
        uint16_t half = (uint16_t)numbers[each];
        const void *from = bytes == 2 ? (void *)&half : (void *)&numbers[each];
        memcpy(PyBytes_AS_STRING(made) + each * bytes, from, (size_t)bytes);
    }
    return made;
}

/* Give the lower bytes of hashes, ascending, each once. */
static PyObject *sorted(PyObject *hashes, int bytes) {
    Py_buffer given;
    if (PyObject_GetBuffer(hashes, &given, PyBUF_SIMPLE) < 0)
        return NULL;
    Py_ssize_t count = given.len / (Py_ssize_t)sizeof(uint32_t);
    uint32_t *numbers = PyMem_Calloc(2 * (size_t)count, sizeof *numbers);
    PyObject *made = NULL;
    if (numbers == NULL) {
        PyErr_NoMemory();
    } else {
        const char *at = given.buf;
        Py_ssize_t kept = 0; /* neighbours are often equal, and one of them is enough */
        for (Py_ssize_t each = 0; each < count; each++, at += sizeof *numbers) {
            memcpy(&numbers[kept], at, sizeof *numbers);
            numbers[kept] &= bytes == 2 ? 0xFFFF : 0xFFFFFFFF;
            if (kept == 0 || numbers[kept] != numbers[kept - 1])
                kept++;
        }
        made = packed(numbers, sort(numbers, numbers + count, kept, bytes), bytes);
    }
    PyMem_Free(numbers);
    PyBuffer_Release(&given);
    return made;
}

static PyObject *distinct(PyObject *self, PyObject *hashes) {
    return sorted(hashes, 4);
}

static PyObject *halved(PyObject *self, PyObject *hashes) {
    return sorted(hashes, 2);
}

/* Count the numbers of 16 bits that stand in both, each ascending. */
static PyObject *common(PyObject *self, PyObject *args) {
    Py_buffer some, others;
    if (!PyArg_ParseTuple(args, "y*y*", &some, &others))
        return NULL;
    const uint16_t *one = some.buf, *other = others.buf;
    const uint16_t *one_end = one + some.len / 2, *other_end = other + others.len / 2;
    long found = 0;
    while (one < one_end && other < other_end) {
        uint16_t left = *one, right = *other;
        found += left == right;
        one += left <= right;
        other += right <= left;
    }
    PyBuffer_Release(&some);
    PyBuffer_Release(&others);
    return PyLong_FromLong(found);
}

static uint32_t crc_of[256]; /* CRC-32 of each byte, as zlib has it */

static void fill_crc(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        crc_of[byte] = crc;
    }
}

/* Tell 16 bits of the CRC-32 of a word; -1 where it is none. */
static int hash_word(PyObject *word, uint32_t *hash) {
    PyObject *utf8 = NULL;
    const uint8_t *at;
    Py_ssize_t length;
    if (PyUnicode_Check(word) && PyUnicode_IS_ASCII(word)) {
        at = PyUnicode_1BYTE_DATA(word);
        length = PyUnicode_GET_LENGTH(word);
    } else {
        utf8 = PyUnicode_AsEncodedString(word, "utf-8", "surrogatepass");
        if (utf8 == NULL)
            return -1;
        at = (const uint8_t *)PyBytes_AS_STRING(utf8);
        length = PyBytes_GET_SIZE(utf8);
    }
    uint32_t crc = ~0u;
    for (const uint8_t *end = at + length; at < end; at++)
        crc = crc >> 8 ^ crc_of[(crc ^ *at) & 0xFF];
    *hash = ~crc & 0xFFFF;
    Py_XDECREF(utf8);
    return 0;
}

/* Give 16 bits of the CRC-32 of each word that is not among others, ascending, each once. */
static PyObject *word_crcs(PyObject *self, PyObject *args) {
    PyObject *given, *others;
    if (!PyArg_ParseTuple(args, "OO!", &given, &PyFrozenSet_Type, &others))
        return NULL;
    PyObject *words = PySequence_Fast(given, "words are an iterable");
    if (words == NULL)
        return NULL;
    Py_ssize_t most = PySequence_Fast_GET_SIZE(words), count = 0, at = 0;
    uint32_t *numbers = PyMem_Malloc(2 * (size_t)most * sizeof *numbers);
    PyObject *made = NULL;
    if (numbers == NULL) {
        PyErr_NoMemory();
    } else {
        for (; at < most; at++) {
            PyObject *word = PySequence_Fast_GET_ITEM(words, at);
            int is_other = PySet_Contains(others, word);
            if (is_other < 0 || (!is_other && hash_word(word, &numbers[count]) < 0))
                break;
            count += !is_other;
        }
        if (at == most)
            made = packed(numbers, sort(numbers, numbers + most, count, 2), 2);
    }
    PyMem_Free(numbers);
    Py_DECREF(words);
    return made;
}

static PyMethodDef methods[] = {
    {"winnow", winnow, METH_O, NULL},
    {"distinct", distinct, METH_O, NULL},
    {"halved", halved, METH_O, NULL},
    {"common", common, METH_VARARGS, NULL},
    {"word_crcs", word_crcs, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "prints_c", "Prints and their sets.", 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_prints_c(void) {
    fill_crc();
    return PyModuleDef_Init(&module);
}
