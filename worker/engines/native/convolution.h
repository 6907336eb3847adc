// Convolution, and its gradient with respect to the weights.
#pragma once

#include "vectors.h"

// Output channels worked on at once: as many as leave their sums in the registers, of which AVX2 has 16.
constexpr int STRIP = LANES == 8 ? 4 : 8;

// One strip of OC output channels and PW pixels: out[o][p] = Σ over i, ky, kx of weights[i][ky][kx][o] · in.
template <int OC, int PW>
static inline void convolve_strip(const Maps& in, int y, int x, const float* weights, int kernel_size,
                                  int num_weights, Vec* out, size_t out_plane) {
    Vec sums[PW][OC];
    for (int p = 0; p < PW; p++)
        for (int o = 0; o < OC; o++) sums[p][o] = Vec{};
    for (int i = 0; i < in.channels; i++)
        for (int ky = 0; ky < kernel_size; ky++) {
            const Vec* line = in.line(i, y + ky) + x;
            const float* w = weights + (size_t)(i * kernel_size + ky) * kernel_size * num_weights;
            for (int kx = 0; kx < kernel_size; kx++, w += num_weights)
#pragma GCC unroll 8
                for (int o = 0; o < OC; o++) {
                    Vec weight = splat(w[o]);
#pragma GCC unroll 4
                    for (int p = 0; p < PW; p++) sums[p][o] += line[kx + p] * weight;
                }
        }
    for (int o = 0; o < OC; o++)
        for (int p = 0; p < PW; p++) out[o * out_plane + p] = sums[p][o];
}

template <int OC>
static void convolve_channels(const Maps& in, const float* weights, int kernel_size, const Maps& out, int first) {
    constexpr int PW = OC > 6 || LANES == 8 ? 3 : 4;
    for (int y = 0; y < out.size; y++) {
        Vec* to = out.line(first, y);
        int x = 0;
        for (; x + PW <= out.size; x += PW)
            convolve_strip<OC, PW>(in, y, x, weights, kernel_size, out.channels, to + x, out.plane());
        for (; x + 2 <= out.size; x += 2)
            convolve_strip<OC, 2>(in, y, x, weights, kernel_size, out.channels, to + x, out.plane());
        for (; x < out.size; x++)
            convolve_strip<OC, 1>(in, y, x, weights, kernel_size, out.channels, to + x, out.plane());
    }
}

// The size of the next strip: 8, 6, 4, 2 or 1 channels, so that 10 and 18 have no thin remainder.
static inline int choose_strip(int num_left) {
    if (STRIP == 8 && num_left >= 8 && num_left != 10 && num_left != 18) return 8;
    if (STRIP == 8 && num_left >= 6) return 6;
    return num_left >= 4 ? 4 : num_left >= 2 ? 2 : 1;
}

// out = in ∗ weights; in is kernel_size - 1 larger than out, weights are [in][ky][kx][out].
static void convolve(const Maps& in, const float* weights, int kernel_size, const Maps& out) {
    for (int o = 0; o < out.channels;) {
        int strip = choose_strip(out.channels - o);
        switch (strip) {
            case 8: convolve_channels<8>(in, weights + o, kernel_size, out, o); break;
            case 6: convolve_channels<6>(in, weights + o, kernel_size, out, o); break;
            case 4: convolve_channels<4>(in, weights + o, kernel_size, out, o); break;
            case 2: convolve_channels<2>(in, weights + o, kernel_size, out, o); break;
            default: convolve_channels<1>(in, weights + o, kernel_size, out, o);
        }
        o += strip;
    }
}

// Where T neighbouring weights are: their inputs step apart, and the strides of their gradient.
struct Taps {
    const Vec* in;
    int in_width;
    size_t step;
    float* gradient;
    size_t out_stride, tap_stride;
};

// gradient[o][t] += Σ over pixels and images of dz[o] · in[t].
template <int OC, int T>
static void correlate_strip(const Maps& dz, int first, const Taps& taps) {
    Vec sums[OC][T];
    for (int o = 0; o < OC; o++)
        for (int t = 0; t < T; t++) sums[o][t] = Vec{};
    for (int y = 0; y < dz.size; y++) {
        const Vec* in = taps.in + (size_t)y * taps.in_width;
        const Vec* d = dz.line(first, y);
        for (int x = 0; x < dz.size; x++) {
            Vec values[T];
#pragma GCC unroll 4
            for (int t = 0; t < T; t++) values[t] = in[x + t * taps.step];
#pragma GCC unroll 8
            for (int o = 0; o < OC; o++) {
                Vec value = d[o * dz.plane() + x];
#pragma GCC unroll 4
                for (int t = 0; t < T; t++) sums[o][t] += value * values[t];
            }
        }
    }
    for (int o = 0; o < OC; o++)
        for (int t = 0; t < T; t++)
            taps.gradient[(first + o) * taps.out_stride + t * taps.tap_stride] += sum(sums[o][t]);
}

template <int T>
static void correlate_channels(const Maps& dz, const Taps& taps) {
    for (int o = 0; o < dz.channels;) {
        int strip = choose_strip(dz.channels - o);
        switch (strip) {
            case 8: correlate_strip<8, T>(dz, o, taps); break;
            case 6: correlate_strip<6, T>(dz, o, taps); break;
            case 4: correlate_strip<4, T>(dz, o, taps); break;
            case 2: correlate_strip<2, T>(dz, o, taps); break;
            default: correlate_strip<1, T>(dz, o, taps);
        }
        o += strip;
    }
}

// Adds the gradient of the weights, [out][in][ky][kx], of kernels of 1×1 (of an even number of inputs) or 3×3.
static void correlate(const Maps& dz, const Maps& in, int kernel_size, float* gradient) {
    size_t num_taps = (size_t)kernel_size * kernel_size, out_stride = in.channels * num_taps;
    if (kernel_size == 1) {
        for (int i = 0; i < in.channels; i += 2)
            correlate_channels<2>(dz, {in.line(i, 0), in.width, in.plane(), gradient + i, out_stride, 1});
        return;
    }
    for (int i = 0; i < in.channels; i++)
        for (int ky = 0; ky < 3; ky++)
            correlate_channels<3>(
                dz, {in.line(i, ky), in.width, 1, gradient + i * num_taps + ky * 3, out_stride, 1});
}
