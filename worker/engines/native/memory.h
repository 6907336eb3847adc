// Room for a network, all of it at once.
#pragma once

#include "network.h"

// Zeroed memory for that many values, or null; the network frees it.
static Vec* allocate(Network& network, size_t count) {
    size_t num_bytes = (count * sizeof(Vec) / PAGE_BYTES + 1) * PAGE_BYTES;
    void* memory = nullptr;
    if (posix_memalign(&memory, PAGE_BYTES, num_bytes)) {
        network.is_short_of_memory = true;
        return nullptr;
    }
    network.owned[network.num_owned++] = memset(memory, 0, num_bytes);
    return (Vec*)memory;
}

static void add_layer(Network& network, const Row& row, int raw_size) {
    Layer& layer = network.layers[network.num_rows++];
    layer.row = row;
    layer.raw_size = raw_size;
    layer.in_size = raw_size / row.pool_size;
    layer.out_size = layer.in_size + 2 * row.padding - row.kernel_size + 1;
    size_t num_weights = (size_t)row.in_channels * row.out_channels * row.kernel_size * row.kernel_size;
    int most = network.max_blocks > network.max_threads ? network.max_blocks : network.max_threads;
    size_t num_slots = network.kind == BATCH ? most : network.max_threads, num_statistics = num_slots * row.out_channels;
    layer.packed = (float*)allocate(network, num_weights / LANES + 1);
    layer.flipped = (float*)allocate(network, num_weights / LANES + 1);
    layer.z = allocate(network, num_slots * layer.count_out());
    layer.d = allocate(network, num_slots * layer.count_out());
    layer.statistics = {allocate(network, num_statistics), allocate(network, num_statistics),
                        allocate(network, num_statistics), allocate(network, num_statistics)};
}

static void add_scratches(Network& network) {
    size_t largest = 0;
    for (int r = 0; r < network.num_rows; r++) {
        const Layer& layer = network.layers[r];
        size_t in_width = layer.raw_size + 2 * layer.row.padding;
        size_t out_width = layer.out_size + 2 * (layer.row.kernel_size - 1);
        size_t in = layer.row.in_channels * in_width * in_width, out = layer.row.out_channels * out_width * out_width;
        largest = in > largest ? in : largest;
        largest = out > largest ? out : largest;
    }
    size_t num_pixels = (size_t)network.image_size * network.image_size;
    for (int t = 0; t < network.max_threads; t++)
        network.scratches[t] = {t,
                                allocate(network, num_pixels),
                                allocate(network, largest),
                                allocate(network, largest),
                                allocate(network, largest),
                                allocate(network, largest)};
}
