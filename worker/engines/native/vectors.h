// One value of LANES images side by side, and square maps of them.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef LANES
#error "LANES, the number of images in a vector, must be given: 4, 8 or 16."
#endif

typedef float Vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t Mask __attribute__((vector_size(LANES * sizeof(int32_t))));

static inline Vec splat(float value) { return Vec{} + value; }

// Halves are added until one value is left: fewer additions wait for each other.
static inline float sum(Vec values) {
    float lanes[LANES];
    memcpy(lanes, &values, sizeof(Vec));
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
    return lanes[0];
}

// A value that is no number stays one, so that a run that diverges is noticed.
static inline Vec rectify(Vec values) { return values < 0.0f ? Vec{} : values; }

static inline Vec keep_where(Mask mask, Vec values) { return (Vec)((Mask)values & mask); }

static inline Vec invert_sqrt(Vec values) {
    Vec result;
    for (int lane = 0; lane < LANES; lane++) result[lane] = 1.0f / sqrtf(values[lane]);
    return result;
}

// Square maps of a block of images, [channel][y][x]; lines are width apart and may have a margin around them.
struct Maps {
    Vec* data;
    int channels, size, width;

    size_t plane() const { return (size_t)width * width; }
    size_t count() const { return channels * plane(); }
    Vec* line(int channel, int y) const { return data + channel * plane() + (size_t)y * width; }
    // The same maps with the margin counted in.
    Maps with_margin() const {
        int margin = (width - size) / 2;
        return {data - (size_t)margin * width - margin, channels, width, width};
    }
};

// Maps at the beginning of memory, with a margin of zeros around each.
static inline Maps place_maps(Vec* memory, int channels, int size, int margin) {
    int width = size + 2 * margin;
    if (margin) memset(memory, 0, sizeof(Vec) * channels * width * width);
    return {memory + (size_t)margin * width + margin, channels, size, width};
}
