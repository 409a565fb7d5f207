/* Decoding and resizing of single pictures. */
#include "data_files.h"

#include <math.h>
#include <zlib.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

enum { PIXELS = 1 << 20 };

typedef struct buffer {
    char bytes[1 << 16];
    size_t size;
} buffer;

static void append(void *user, void *data, int size) {
    buffer *b = user;
    ck_assert_uint_le(b->size + (size_t)size, sizeof b->bytes);
    memcpy(b->bytes + b->size, data, (size_t)size);
    b->size += (size_t)size;
}

/* 16 x 16 pixels; see jpeg_is_close for their colours. */
static void read_jpeg(buffer *b) {
    FILE *file = fopen("tests/unit/gradient.jpg", "rb");
    ck_assert_ptr_nonnull(file);
    b->size = fread(b->bytes, 1, sizeof b->bytes, file);
    fclose(file);
}

static uint8_t noise(uint32_t i) {
    uint32_t out[4];
    ad_philox((uint32_t[4]){i, 0, 0, 0}, (uint32_t[2]){1, 2}, out);
    return (uint8_t)out[0];
}

static adatom_status decode(const buffer *b, int size, uint8_t *out, ad_image_error *error) {
    const ad_image_params params = {.size = size, .resize = size, .max_pixels = PIXELS, .background = {255, 255, 255}};
    return ad_image_decode(b->bytes, b->size, &params, out, error);
}

START_TEST(lossless_formats_are_exact) {
    enum { SIZE = 6 };
    uint8_t in[SIZE * SIZE * 4], wanted[SIZE * SIZE * 3], out[SIZE * SIZE * 3];
    ad_image_error error;
    for (int channels = 1; channels <= 4; channels++) {
        for (uint32_t i = 0; i < sizeof in; i++) in[i] = noise(i);
        bool alpha = channels == 2 || channels == 4;
        for (int i = 0; i < SIZE * SIZE; i++) {
            const uint8_t *p = in + i * channels;
            double a = alpha ? p[channels - 1] / 255.0 : 1;
            for (int c = 0; c < 3; c++)
                wanted[3 * i + c] = (uint8_t)(p[channels > 2 ? c : 0] * a + 255 * (1 - a) + 0.5);
        }
        buffer png = {.size = 0}, bmp = {.size = 0};
        ck_assert(stbi_write_png_to_func(append, &png, SIZE, SIZE, channels, in, SIZE * channels));
        ck_assert_int_eq(decode(&png, SIZE, out, &error), ADATOM_OK);
        ck_assert_mem_eq(out, wanted, sizeof out);
        if (channels != 3) continue;
        ck_assert(stbi_write_bmp_to_func(append, &bmp, SIZE, SIZE, channels, in));
        ck_assert_int_eq(decode(&bmp, SIZE, out, &error), ADATOM_OK);
        ck_assert_mem_eq(out, wanted, sizeof out);
    }
}
END_TEST

START_TEST(jpeg_is_close) {
    uint8_t out[16 * 16 * 3];
    buffer jpeg;
    ad_image_error error;
    read_jpeg(&jpeg);
    ck_assert_int_eq(decode(&jpeg, 16, out, &error), ADATOM_OK);
    for (int i = 0; i < 16 * 16 * 3; i++) ck_assert_int_le(abs(i % 3 * 50 + i / (16 * 3) * 6 - out[i]), 4);
}
END_TEST

START_TEST(every_truncation_is_noticed) {
    enum { SIZE = 20 };
    uint8_t in[SIZE * SIZE * 3], out[SIZE * SIZE * 3];
    for (uint32_t i = 0; i < sizeof in; i++) in[i] = noise(i);
    buffer files[4] = {{.size = 0}};
    ck_assert(stbi_write_png_to_func(append, &files[0], SIZE, SIZE, 3, in, SIZE * 3));
    read_jpeg(&files[1]);
    ck_assert(stbi_write_bmp_to_func(append, &files[2], SIZE, SIZE, 3, in));
    files[3].size = make_pnm(SIZE, SIZE, 0x345678, files[3].bytes);
    for (size_t f = 0; f < AD_COUNT(files); f++) {
        ad_image_error error;
        size_t whole = files[f].size;
        ck_assert_int_eq(decode(&files[f], SIZE, out, &error), ADATOM_OK);
        for (size_t cut = 0; cut < whole; cut++) {
            files[f].size = cut;
            ck_assert_msg(decode(&files[f], SIZE, out, &error) == ADATOM_BAD_DATA, "format %zu cut to %zu of %zu", f,
                          cut, whole);
            ck_assert_str_ne(error.text, "");
        }
    }
}
END_TEST

START_TEST(headers_that_lie) {
    uint8_t out[4 * 4 * 3];
    ad_image_error error;
    buffer png = {.size = 0};
    const uint8_t pixels[6 * 6 * 3] = {1, 2, 3};
    ck_assert(stbi_write_png_to_func(append, &png, 6, 6, 3, pixels, 18));
    static const struct {
        uint32_t width, height;
        const char *message;
    } cases[] = {{10000, 10000, "is 10000 x 10000 pixels, more than the 1048576 accepted"},
                 {1000000, 1000000, "is 1000000 x 1000000 pixels, more than"},
                 {5000, 1, "is a strip of 5000 x 1 pixels"},
                 {900, 900, "is damaged"},
                 {0, 6, "is a PNG picture with a damaged header"}};
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        for (int k = 0; k < 4; k++) {
            png.bytes[16 + k] = (char)(cases[i].width >> (24 - 8 * k));
            png.bytes[20 + k] = (char)(cases[i].height >> (24 - 8 * k));
        }
        uint32_t sum = (uint32_t)crc32(0, (const Bytef *)png.bytes + 12, 17);
        for (int k = 0; k < 4; k++) png.bytes[29 + k] = (char)(sum >> (24 - 8 * k));
        ck_assert_int_eq(decode(&png, 4, out, &error), ADATOM_BAD_DATA);
        ck_assert_msg(strstr(error.text, cases[i].message) == error.text, "%s", error.text);
    }
}
END_TEST

/* The definition: a triangle as wide as the reduction, over pixel centres, renormalised at the borders. */
static double resized(const uint8_t *in, int width, int height, int scaled_width, int scaled_height, int x, int y,
                      int c) {
    double sx = (double)width / scaled_width, sy = (double)height / scaled_height, sum = 0, weights = 0;
    for (int j = 0; j < height; j++) {
        for (int i = 0; i < width; i++) {
            double u = fabs((i + 0.5 - (x + 0.5) * sx) / fmax(sx, 1)),
                   v = fabs((j + 0.5 - (y + 0.5) * sy) / fmax(sy, 1));
            double w = fmax(0, 1 - u) * fmax(0, 1 - v);
            sum += w * in[(j * width + i) * 3 + c];
            weights += w;
        }
    }
    return sum / weights;
}

START_TEST(resize_is_antialiased_bilinear) {
    static const int cases[][4] = {{20, 20, 7, 7},   {33, 21, 8, 8},   {21, 33, 8, 10}, {5, 9, 12, 12},
                                   {84, 60, 32, 32}, {64, 64, 32, 36}, {3, 1, 4, 4},    {40, 40, 1, 1},
                                   {20, 20, 20, 20}, {16, 16, 16, 18}};
    for (size_t k = 0; k < AD_COUNT(cases); k++) {
        int width = cases[k][0], height = cases[k][1], size = cases[k][2], resize = cases[k][3],
            shorter = AD_MIN(width, height);
        uint8_t in[84 * 84 * 3], out[32 * 32 * 3];
        for (int i = 0; i < width * height * 3; i++) in[i] = noise((uint32_t)i);
        const ad_image_params params = {.size = size, .resize = resize, .max_pixels = 1 << 20};
        ad_image_error error;
        ck_assert_int_eq(ad_image_take(&(ad_image_pixels){in, width, height, 3}, &params, out, &error), ADATOM_OK);
        int scaled_width = width * resize / shorter, scaled_height = height * resize / shorter;
        for (int y = 0; y < size; y++) {
            for (int x = 0; x < size; x++) {
                for (int c = 0; c < 3; c++) {
                    double wanted = resized(in, width, height, scaled_width, scaled_height,
                                            x + (scaled_width - size) / 2, y + (scaled_height - size) / 2, c);
                    ck_assert_msg(fabs(wanted - out[(y * size + x) * 3 + c]) < 0.501,
                                  "%dx%d to %d at %d,%d: got %d, wanted %f", width, height, size, x, y,
                                  out[(y * size + x) * 3 + c], wanted);
                }
            }
        }
    }
}
END_TEST

static double cubic(double x) {
    x = fabs(x);
    return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
}

/* One pixel of an axis by the definition, from the middle of `in` samples `step` apart. */
static double filtered(const double *in, int count, int step, int scaled, int at, bool is_cubic) {
    const double scale = (double)count / scaled, wide = fmax(scale, 1);
    double sum = 0, weights = 0;
    for (int j = 0; j < count; j++) {
        const double x = (j + 0.5 - (at + 0.5) * scale) / wide, w = is_cubic ? cubic(x) : fmax(0, 1 - fabs(x));
        sum += w * in[j * step];
        weights += w;
    }
    return fmin(fmax(floor(sum / weights + 0.5), 0), 255);
}

/* Both passes round to bytes, and the crop rounds halves to even. tests/e2e/test_pillow.py has Pillow itself. */
START_TEST(filters_are_those_of_pillow) {
    static const int cases[][4] = {{20, 20, 7, 7},   {33, 21, 8, 8},   {21, 33, 8, 10},  {5, 9, 12, 12},
                                   {84, 60, 32, 32}, {64, 64, 32, 36}, {40, 40, 1, 1},   {16, 16, 16, 18},
                                   {31, 29, 10, 17}, {29, 31, 10, 13}, {20, 20, 20, 20}, {12, 12, 5, 8}};
    static const int before[4] = {0, 0, 1, 2}; /* torchvision: of 0, 1, 2 and 3 pixels too many */
    for (size_t k = 0; k < 2 * AD_COUNT(cases); k++) {
        const int *c = cases[k / 2], width = c[0], height = c[1], size = c[2], resize = c[3];
        const bool is_cubic = k % 2;
        const int shorter = AD_MIN(width, height);
        const int scaled_width = width * resize / shorter, right = scaled_width - size;
        const int scaled_height = height * resize / shorter, below = scaled_height - size;
        uint8_t in[84 * 84 * 3], out[32 * 32 * 3];
        double row[84 * 3], rows[84 * 32 * 3];
        for (int i = 0; i < width * height * 3; i++) in[i] = noise((uint32_t)i);
        const ad_image_params params = {.size = size,
                                        .resize = resize,
                                        .max_pixels = 1 << 20,
                                        .interpolation =
                                            is_cubic ? ADATOM_INTERPOLATION_BICUBIC : ADATOM_INTERPOLATION_BILINEAR};
        ad_image_error error;
        ck_assert_int_eq(ad_image_take(&(ad_image_pixels){in, width, height, 3}, &params, out, &error), ADATOM_OK);
        for (int y = 0; y < height; y++) {
            for (int i = 0; i < width * 3; i++) row[i] = in[y * width * 3 + i];
            for (int i = 0; i < size * 3; i++)
                rows[y * size * 3 + i] =
                    filtered(row + i % 3, width, 3, scaled_width, i / 3 + right / 4 * 2 + before[right % 4], is_cubic);
        }
        int differ = 0;
        for (int i = 0; i < size * size * 3; i++) {
            const int y = i / (size * 3), x = i % (size * 3);
            const double wanted =
                filtered(rows + x, height, size * 3, scaled_height, y + below / 4 * 2 + before[below % 4], is_cubic);
            /* Weights of 22 bits round otherwise than exact ones where a sum is a half. */
            ck_assert_msg(fabs(wanted - out[i]) <= 1, "%dx%d to %d of %d at %d: got %d, wanted %g", width, height, size,
                          resize, i, out[i], wanted);
            differ += wanted != out[i];
        }
        ck_assert_int_le(differ, size * size * 3 / 5);
    }
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("image");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, lossless_formats_are_exact);
    tcase_add_test(tests, jpeg_is_close);
    tcase_add_test(tests, every_truncation_is_noticed);
    tcase_add_test(tests, headers_that_lie);
    tcase_add_test(tests, resize_is_antialiased_bilinear);
    tcase_add_test(tests, filters_are_those_of_pillow);
    Suite *suite = suite_create("data: image");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
