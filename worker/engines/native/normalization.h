// Statistics of normalization, and their part of the gradient.
#pragma once

#include "network.h"

// Mean and sum of squared deviations of each channel and image, in two passes over what is in the cache.
static void measure_channels(const Maps& z, const Statistics& statistics) {
    int num_pixels = (int)z.plane();
    for (int c = 0; c < z.channels; c++) {
        const Vec* values = z.line(c, 0);
        Vec totals[4] = {}, squares[4] = {};
        for (int p = 0; p < num_pixels; p++) totals[p % 4] += values[p];
        Vec mean = ((totals[0] + totals[1]) + (totals[2] + totals[3])) / (float)num_pixels;
        for (int p = 0; p < num_pixels; p++) squares[p % 4] += (values[p] - mean) * (values[p] - mean);
        statistics.mean[c] = mean;
        statistics.inverse[c] = (squares[0] + squares[1]) + (squares[2] + squares[3]);
    }
}

// From each channel's statistics to those of the channels that are normalized together: mean and 1/σ.
static void merge_groups(const Block& block, int r) {
    const Layer& layer = block.layer(r);
    Statistics statistics = block.statistics(r);
    int members = layer.row.out_channels / layer.row.num_groups;
    for (int first = 0; first < layer.row.out_channels; first += members) {
        Vec mean = Vec{}, squares = Vec{};
        for (int c = first; c < first + members; c++) mean += statistics.mean[c];
        mean /= (float)members;
        for (int c = first; c < first + members; c++) {
            Vec offset = statistics.mean[c] - mean;
            squares += statistics.inverse[c] + offset * offset * (float)layer.plane();
        }
        Vec inverse = invert_sqrt(squares / (float)(members * layer.plane()) + block.network().eps);
        for (int c = first; c < first + members; c++) {
            statistics.mean[c] = mean;
            statistics.inverse[c] = inverse;
        }
    }
}

// The same for batch normalization, over all blocks; brings the running statistics up to date.
static void merge_batch(const Task& task, int r) {
    Layer& layer = task.network->layers[r];
    Statistics& statistics = layer.statistics;
    int channels = layer.row.out_channels, plane = layer.plane();
    double count = (double)task.num_images * plane;
    for (int c = 0; c < channels; c++) {
        double total = 0, squares = 0;
        for (int n = 0; n < task.num_images; n++)
            total += statistics.mean[n / LANES * channels + c][n % LANES];
        double mean = total / task.num_images;
        for (int n = 0; n < task.num_images; n++) {
            size_t position = n / LANES * channels + c;
            double offset = statistics.mean[position][n % LANES] - mean;
            squares += statistics.inverse[position][n % LANES] + offset * offset * plane;
        }
        float* running_mean = task.running_mean + layer.row.running + c;
        float* running_var = task.running_var + layer.row.running + c;
        *running_mean += task.momentum * ((float)mean - *running_mean);
        *running_var += task.momentum * ((float)(squares / (count - 1)) - *running_var);
        for (int b = 0; b < task.num_blocks; b++) {
            statistics.mean[b * channels + c] = splat((float)mean);
            statistics.inverse[b * channels + c] =
                splat((float)(1 / sqrt(squares / count + task.network->eps)));
        }
    }
}

static void use_running(const Block& block, int r) {
    const Layer& layer = block.layer(r);
    Statistics statistics = block.statistics(r);
    for (int c = 0; c < layer.row.out_channels; c++) {
        statistics.mean[c] = splat(block.task.running_mean[layer.row.running + c]);
        statistics.inverse[c] =
            splat(1 / sqrtf(block.task.running_var[layer.row.running + c] + block.network().eps));
    }
}

// From each channel's sums of d and d·x̂ to the means over the normalization set of γ·d and γ·d·x̂, which the
// gradient subtracts (Ioffe & Szegedy 2015, section 3); adds the gradients of γ and β that are per channel.
static void merge_gradient_groups(const Block& block, int r) {
    const Layer& layer = block.layer(r);
    const Row& row = layer.row;
    Statistics statistics = block.statistics(r);
    int members = row.out_channels / row.num_groups;
    for (int first = 0; first < row.out_channels; first += members) {
        Vec total = Vec{}, with_x = Vec{};
        for (int c = first; c < first + members; c++) {
            float gamma = 1;
            if (block.has_per_channel(r)) {
                gamma = block.task.parameters[row.gamma + c];
                block.gradient()[row.beta + c] += sum(statistics.sum_d[c]);
                block.gradient()[row.gamma + c] += sum(statistics.sum_dx[c]);
            }
            total += statistics.sum_d[c] * gamma;
            with_x += statistics.sum_dx[c] * gamma;
        }
        for (int c = first; c < first + members; c++) {
            statistics.sum_d[c] = total / (float)(members * layer.plane());
            statistics.sum_dx[c] = with_x / (float)(members * layer.plane());
        }
    }
}

static void merge_gradient_batch(const Task& task, int r) {
    Layer& layer = task.network->layers[r];
    const Row& row = layer.row;
    Statistics& statistics = layer.statistics;
    double count = (double)task.num_images * layer.plane();
    for (int c = 0; c < row.out_channels; c++) {
        double total = 0, with_x = 0, gamma = 1;
        for (int b = 0; b < task.num_blocks; b++) {
            total += sum(statistics.sum_d[b * row.out_channels + c]);
            with_x += sum(statistics.sum_dx[b * row.out_channels + c]);
        }
        if (row.gamma >= 0) {
            gamma = task.parameters[row.gamma + c];
            task.network->gradients[row.beta + c] += (float)total;
            task.network->gradients[row.gamma + c] += (float)with_x;
        }
        for (int b = 0; b < task.num_blocks; b++) {
            statistics.sum_d[b * row.out_channels + c] = splat((float)(gamma * total / count));
            statistics.sum_dx[b * row.out_channels + c] = splat((float)(gamma * with_x / count));
        }
    }
}
