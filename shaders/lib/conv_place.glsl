/* Where an output of a convolution lies. */
struct ad_place {
    int image, row, col;
    bool inside; /* false: past the last; then image = row = col = 0 and may be read */
};

ad_place ad_place_of(int index, int height, int width) {
    bool inside = index < p.n * height * width;
    int at = inside ? index : 0;
    int line = at / width;
    return ad_place(line / height, line % height, at % width, inside);
}

/* Forward: row and col become those of tap (0,0) in the input. */
ad_place ad_window_of(int index) {
    ad_place at = ad_place_of(index, p.oh, p.ow);
    at.row = at.row * STRIDE - PAD;
    at.col = at.col * STRIDE - PAD;
    return at;
}

/* Pixel (n*h + row)*w + col that tap (i,j) of a window reads, or -1 outside the image. */
int ad_pixel(ad_place window, int i, int j) {
    int row = window.row + i * DIL, col = window.col + j * DIL;
    bool inside = window.inside && row >= 0 && row < p.h && col >= 0 && col < p.w;
    return inside ? (window.image * p.h + row) * p.w + col : -1;
}

/* Backward with stride s: the pixels of an image fall into s*s classes (row % s, col % s); a class is reached by the
 * same taps everywhere, so a tile of one class skips the other taps as a whole. */
ad_place ad_pixel_of_class(int index, int class_) {
    int row = class_ / STRIDE, col = class_ % STRIDE;
    ad_place at = ad_place_of(index, (p.h - row + STRIDE - 1) / STRIDE, (p.w - col + STRIDE - 1) / STRIDE);
    at.row = at.row * STRIDE + row;
    at.col = at.col * STRIDE + col;
    return at;
}

bool ad_tap_reaches(int class_, int i, int j) {
    return (class_ / STRIDE + PAD - i * DIL) % STRIDE == 0 && (class_ % STRIDE + PAD - j * DIL) % STRIDE == 0;
}

/* Output position (n*oh + p)*ow + q whose tap (i,j) reads the pixel, or -1. */
int ad_reader(ad_place pixel, int i, int j) {
    int row = pixel.row + PAD - i * DIL, col = pixel.col + PAD - j * DIL;
    bool inside = pixel.inside && row >= 0 && col >= 0 && row % STRIDE == 0 && col % STRIDE == 0 &&
                  row / STRIDE < p.oh && col / STRIDE < p.ow;
    return inside ? (pixel.image * p.oh + row / STRIDE) * p.ow + col / STRIDE : -1;
}
