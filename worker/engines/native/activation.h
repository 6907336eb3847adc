// What lies between two convolutions, normalize → ReLU → dropout, and its gradient.
#pragma once

#include "network.h"

// Zeroes what row r drops of this block.
static void drop(const Block& block, int r, const Maps& out) {
    if (!block.task.dropped || !block.task.num_dropped[r]) return;
    const int64_t* dropped = block.task.dropped[r];
    int64_t per_image = (int64_t)block.layer(r).count_out(), plane = block.layer(r).plane();
    int64_t first = block.index * LANES * per_image, low = 0, high = block.task.num_dropped[r];
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (dropped[middle] < first) low = middle + 1;
        else high = middle;
    }
    for (; low < block.task.num_dropped[r] && dropped[low] < first + LANES * per_image; low++) {
        int64_t position = dropped[low] - first, in_image = position % per_image, pixel = in_image % plane;
        Vec* line = out.line((int)(in_image / plane), (int)(pixel / out.size));
        ((float*)(line + pixel % out.size))[position / per_image] = 0;
    }
}

// The activation of block row r: normalized, rectified, dropped and scaled, into out.
static void activate(const Block& block, int r, const Maps& out) {
    const Row& row = block.layer(r).row;
    Maps z = block.z(r);
    Statistics statistics = block.statistics(r);
    const float* parameters = block.task.parameters;
    float keep_scale = block.task.keep_scale;
    for (int c = 0; c < z.channels; c++) {
        Vec scale = splat(1), shift = Vec{};
        if (block.is_normalized(r)) {
            float gamma = block.has_per_channel(r) ? parameters[row.gamma + c] : 1;
            float beta = block.has_per_channel(r) ? parameters[row.beta + c] : 0;
            scale = statistics.inverse[c] * gamma;
            shift = beta - statistics.mean[c] * scale;
        }
        if (block.has_elementwise(r)) {
            const float* gamma = parameters + row.gamma + c * z.plane();
            const float* beta = parameters + row.beta + c * z.plane();
            for (int y = 0; y < z.size; y++)
                for (int x = 0; x < z.size; x++) {
                    int p = y * z.size + x;
                    Vec normalized = z.line(c, y)[x] * scale + shift;
                    out.line(c, y)[x] = rectify(normalized * (gamma[p] * keep_scale) + beta[p] * keep_scale);
                }
            continue;
        }
        scale *= keep_scale;
        shift *= keep_scale;
        for (int y = 0; y < z.size; y++)
            for (int x = 0; x < z.size; x++) out.line(c, y)[x] = rectify(z.line(c, y)[x] * scale + shift);
    }
    if (block.task.is_training) drop(block, r, out);
}

// From the gradient of block row r's activation to d, that of what is rectified; and the sums over pixels of d and
// of d·x̂, weighted by γ where it is elementwise, whose gradient is added here.
static void differentiate_activation(const Block& block, int r, const Maps& activation, const Maps& gradient) {
    const Row& row = block.layer(r).row;
    Maps z = block.z(r), d = block.d(r);
    Statistics statistics = block.statistics(r);
    bool is_normalized = block.is_normalized(r), is_elementwise = block.has_elementwise(r);
    Vec keep_scale = splat(block.task.keep_scale);
    for (int c = 0; c < z.channels; c++) {
        Vec total = Vec{}, with_x = Vec{};
        Vec mean = is_normalized ? statistics.mean[c] : Vec{};
        Vec inverse = is_normalized ? statistics.inverse[c] : Vec{};
        const float* gamma = is_elementwise ? block.task.parameters + row.gamma + c * z.plane() : nullptr;
        float* gamma_gradient = is_elementwise ? block.gradient() + row.gamma + c * z.plane() : nullptr;
        float* beta_gradient = is_elementwise ? block.gradient() + row.beta + c * z.plane() : nullptr;
        for (int y = 0; y < z.size; y++)
            for (int x = 0; x < z.size; x++) {
                Mask is_passed = activation.line(c, y)[x] > 0.0f;
                Vec value = keep_where(is_passed, gradient.line(c, y)[x] * keep_scale);
                d.line(c, y)[x] = value;
                Vec product = value * (z.line(c, y)[x] - mean);
                if (is_elementwise) {
                    int p = y * z.size + x;
                    beta_gradient[p] += sum(value);
                    gamma_gradient[p] += sum(product * inverse);
                    value *= gamma[p];
                    product *= gamma[p];
                }
                total += value;
                with_x += product;
            }
        if (is_normalized) {
            statistics.sum_d[c] = total;
            statistics.sum_dx[c] = with_x * inverse;
        }
    }
}

// From d to the gradient of row r's convolution output, into out: 1/σ · (γ·d - mean(γ·d) - x̂ · mean(γ·d·x̂)).
static void differentiate_normalization(const Block& block, int r, const Maps& out) {
    const Row& row = block.layer(r).row;
    Maps z = block.z(r), d = block.d(r);
    Statistics statistics = block.statistics(r);
    Mask valid = block.valid_lanes();
    for (int c = 0; c < z.channels; c++) {
        if (!block.is_normalized(r)) {
            for (int y = 0; y < z.size; y++) memcpy(out.line(c, y), d.line(c, y), sizeof(Vec) * z.size);
            continue;
        }
        Vec inverse = statistics.inverse[c], slope = inverse * statistics.sum_dx[c];
        Vec offset = statistics.sum_d[c] - statistics.mean[c] * slope;
        const float* gamma = block.has_elementwise(r) ? block.task.parameters + row.gamma + c * z.plane() : nullptr;
        float channel_gamma = block.has_per_channel(r) ? block.task.parameters[row.gamma + c] : 1;
        for (int y = 0; y < z.size; y++)
            for (int x = 0; x < z.size; x++) {
                float scale = gamma ? gamma[y * z.size + x] : channel_gamma;
                Vec value = inverse * (d.line(c, y)[x] * scale - offset - z.line(c, y)[x] * slope);
                // Lanes without an image have no gradient, but batch normalization would give them one.
                out.line(c, y)[x] = keep_where(valid, value);
            }
    }
}
