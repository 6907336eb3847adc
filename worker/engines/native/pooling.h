// Pools and their gradients.
#pragma once

#include "vectors.h"

static void pool_max(const Maps& in, const Maps& out) {
    for (int c = 0; c < in.channels; c++)
        for (int y = 0; y < out.size; y++) {
            const Vec* upper = in.line(c, 2 * y);
            const Vec* lower = in.line(c, 2 * y + 1);
            for (int x = 0; x < out.size; x++) {
                Vec a = upper[2 * x] > upper[2 * x + 1] ? upper[2 * x] : upper[2 * x + 1];
                Vec b = lower[2 * x] > lower[2 * x + 1] ? lower[2 * x] : lower[2 * x + 1];
                out.line(c, y)[x] = a > b ? a : b;
            }
        }
}

// A window's gradient goes to the first of its pixels that has the maximum, as PyTorch has it.
static void unpool_max(const Maps& in, const Maps& pooled, const Maps& gradient, const Maps& out) {
    for (int c = 0; c < in.channels; c++)
        for (int y = 0; y < pooled.size; y++)
            for (int x = 0; x < pooled.size; x++) {
                Vec top = pooled.line(c, y)[x];
                Mask is_open = ~Mask{};
                for (int pixel = 0; pixel < 4; pixel++) {
                    int row = 2 * y + pixel / 2, column = 2 * x + pixel % 2;
                    Mask is_top = (in.line(c, row)[column] == top) & is_open;
                    is_open &= ~is_top;
                    out.line(c, row)[column] = keep_where(is_top, gradient.line(c, y)[x]);
                }
            }
}

static void pool_average(const Maps& in, const Maps& out) {
    int pool_size = in.size / out.size;
    for (int c = 0; c < in.channels; c++)
        for (int y = 0; y < out.size; y++)
            for (int x = 0; x < out.size; x++) {
                Vec total = Vec{};
                for (int row = 0; row < pool_size; row++)
                    for (int column = 0; column < pool_size; column++)
                        total += in.line(c, y * pool_size + row)[x * pool_size + column];
                out.line(c, y)[x] = total * (1.0f / (pool_size * pool_size));
            }
}

static void unpool_average(const Maps& gradient, const Maps& out) {
    int pool_size = out.size / gradient.size;
    for (int c = 0; c < out.channels; c++)
        for (int y = 0; y < out.size; y++)
            for (int x = 0; x < out.size; x++)
                out.line(c, y)[x] =
                    gradient.line(c, y / pool_size)[x / pool_size] * (1.0f / (pool_size * pool_size));
}
