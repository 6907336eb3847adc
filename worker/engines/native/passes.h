// One block of images through one row of the network, forward and back.
#pragma once

#include "activation.h"
#include "convolution.h"
#include "normalization.h"
#include "pooling.h"

static Maps load_images(const Block& block) {
    int size = block.network().image_size, num_pixels = size * size;
    float* to = (float*)block.scratch.image;
    for (int lane = 0; lane < LANES; lane++) {
        int n = block.index * LANES + lane;
        const float* from = block.task.images + (size_t)n * num_pixels;
        for (int p = 0; p < num_pixels; p++) to[p * LANES + lane] = n < block.task.num_images ? from[p] : 0;
    }
    return {block.scratch.image, 1, size, size};
}

// The input of row r's convolution, without its pool and with it.
struct Input {
    Maps raw, pooled;
};

static Input prepare_input(const Block& block, int r) {
    const Layer& layer = block.layer(r);
    if (r == 0) {
        Maps image = load_images(block);
        return {image, image};
    }
    Maps raw = block.z(r - 1);
    if (block.layer(r - 1).row.is_block) {
        raw = place_maps(block.scratch.activation, layer.row.in_channels, layer.raw_size, layer.row.padding);
        activate(block, r - 1, raw);
    }
    if (layer.row.pool == NO_POOL) return {raw, raw};
    Maps pooled = place_maps(block.scratch.pooled, layer.row.in_channels, layer.in_size, 0);
    if (layer.row.pool == MAX_POOL) pool_max(raw, pooled);
    else pool_average(raw, pooled);
    return {raw, pooled};
}

static void forward(const Block& block, int r) {
    const Layer& layer = block.layer(r);
    convolve(prepare_input(block, r).pooled.with_margin(), layer.packed, layer.row.kernel_size, block.z(r));
    if (!block.is_normalized(r)) return;
    if (block.network().kind == BATCH && !block.task.is_training) return use_running(block, r);
    measure_channels(block.z(r), block.statistics(r));
    if (block.network().kind != BATCH) merge_groups(block, r);
}

// Log-probabilities out, and the gradient of the mean negative log-likelihood into d of the last row.
static void finish(const Block& block) {
    const Task& task = block.task;
    int last = block.network().num_rows - 1, num_classes = block.layer(last).row.out_channels;
    const Vec* logits = block.z(last).data;
    Vec* d = block.d(last).data;
    for (int lane = 0; lane < LANES; lane++) {
        int n = block.index * LANES + lane;
        bool is_image = n < task.num_images;
        float top = logits[0][lane], total = 0;
        for (int k = 1; k < num_classes; k++) top = logits[k][lane] > top ? logits[k][lane] : top;
        for (int k = 0; k < num_classes; k++) total += expf(logits[k][lane] - top);
        for (int k = 0; k < num_classes; k++) {
            float log_probability = logits[k][lane] - top - logf(total);
            if (task.is_training)
                d[k][lane] = is_image ? (expf(log_probability) - (k == task.labels[n])) / task.num_images : 0;
            else if (is_image)
                task.log_probabilities[(size_t)n * num_classes + k] = log_probability;
        }
    }
}

static void backward(const Block& block, int r) {
    const Layer& layer = block.layer(r);
    int kernel_size = layer.row.kernel_size;
    // As much as a convolution with the flipped kernel needs to give a gradient as large as the input.
    int margin = r == 0 ? 0 : kernel_size - 1 - layer.row.padding;
    Maps dz = place_maps(block.scratch.dz, layer.row.out_channels, layer.out_size, margin);
    differentiate_normalization(block, r, dz);
    Input input = prepare_input(block, r);
    correlate(dz, input.pooled.with_margin(), kernel_size, block.gradient() + layer.row.weight);
    if (r == 0) return;
    Maps gradient = place_maps(block.scratch.dx, layer.row.in_channels, layer.in_size, 0);
    convolve(dz.with_margin(), layer.flipped, kernel_size, gradient);
    if (layer.row.pool != NO_POOL) {
        // dz is used up.
        Maps unpooled = place_maps(block.scratch.dz, layer.row.in_channels, layer.raw_size, 0);
        if (layer.row.pool == MAX_POOL) unpool_max(input.raw, input.pooled, gradient, unpooled);
        else unpool_average(gradient, unpooled);
        gradient = unpooled;
    }
    if (!block.layer(r - 1).row.is_block) {
        memcpy(block.d(r - 1).data, gradient.data, sizeof(Vec) * gradient.count());
        return;
    }
    differentiate_activation(block, r - 1, input.raw, gradient);
    if (block.is_normalized(r - 1) && block.network().kind != BATCH) merge_gradient_groups(block, r - 1);
}
