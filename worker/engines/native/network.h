// The network: its rows, its memory, and what one call works on.
#pragma once

#include "vectors.h"

constexpr int MAX_ROWS = 16;
constexpr int MAX_THREADS = 64;
constexpr size_t PAGE_BYTES = 4096;

// Group normalization with as many groups as channels is instance normalization.
enum Kind { NO_NORMALIZATION = 0, BATCH = 1, GROUP = 2, LAYER = 3 };
enum Pool { NO_POOL = 0, MAX_POOL = 1, AVERAGE_POOL = 2 };

// One row of the network's table, filled in by the caller.
struct Row {
    int32_t in_channels, out_channels, kernel_size, padding, is_block, pool, pool_size, num_groups;
    // Offsets into the parameters; -1 where there is no γ and β. running is that into the running statistics.
    int32_t weight, gamma, beta, running;
};

// Means, 1/σ, and the sums that the gradient of the normalization needs; one a block and channel.
struct Statistics {
    Vec *mean, *inverse, *sum_d, *sum_dx;
};

struct Layer {
    Row row;
    int raw_size, in_size, out_size;  // before the pool, after it, after the convolution
    Vec *z, *d;                       // the convolution's output, and the gradient of what follows it
    Statistics statistics;
    float *packed, *flipped;  // weights as [in][ky][kx][out], and as [out][-ky][-kx][in]

    int plane() const { return out_size * out_size; }
    size_t count_out() const { return (size_t)row.out_channels * plane(); }
};

// One thread's memory for what is worked out again.
struct Scratch {
    int thread;
    Vec *image, *activation, *pooled, *dz, *dx;
};

struct Network {
    Layer layers[MAX_ROWS];
    int num_rows, kind, image_size, num_parameters, max_blocks, max_threads;
    float eps;
    float* gradients;  // one a block
    Scratch scratches[MAX_THREADS];
    void* owned[16 * MAX_ROWS + 8 * MAX_THREADS];
    int num_owned;
    bool is_short_of_memory;
};

// What one call works on, the same for all its threads.
struct Task {
    Network* network;
    const float* images;   // [image][y][x]
    const int64_t* labels;
    int num_images, num_blocks, num_threads;
    bool is_training, is_blockwise;
    const float* parameters;
    float *gradient, *running_mean, *running_var;
    float momentum, keep_scale;
    const int64_t* const* dropped;  // a row's: sorted positions in [image][channel][y][x]
    const int64_t* num_dropped;
    float* log_probabilities;  // [image][class]
    int num_taken[2 * MAX_ROWS];  // blocks, by phase
};

// One block of images in the hands of one thread.
struct Block {
    const Task& task;
    const Scratch& scratch;
    int index;

    Network& network() const { return *task.network; }
    Layer& layer(int r) const { return network().layers[r]; }
    float* gradient() const { return network().gradients + (size_t)index * network().num_parameters; }
    // Blocks that go through all rows at once share their thread's memory.
    size_t slot() const { return task.is_blockwise ? scratch.thread : index; }
    Maps maps(Vec* memory, const Layer& layer) const {
        return {memory + slot() * layer.count_out(), layer.row.out_channels, layer.out_size, layer.out_size};
    }
    Maps z(int r) const { return maps(layer(r).z, layer(r)); }
    Maps d(int r) const { return maps(layer(r).d, layer(r)); }
    Statistics statistics(int r) const {
        const Statistics& all = layer(r).statistics;
        size_t first = slot() * layer(r).row.out_channels;
        return {all.mean + first, all.inverse + first, all.sum_d + first, all.sum_dx + first};
    }
    bool is_normalized(int r) const { return layer(r).row.is_block && network().kind != NO_NORMALIZATION; }
    bool has_elementwise(int r) const { return network().kind == LAYER && layer(r).row.gamma >= 0; }
    bool has_per_channel(int r) const { return network().kind != LAYER && layer(r).row.gamma >= 0; }
    Mask valid_lanes() const {
        Mask mask;
        for (int lane = 0; lane < LANES; lane++)
            mask[lane] = index * LANES + lane < task.num_images ? -1 : 0;
        return mask;
    }
};
