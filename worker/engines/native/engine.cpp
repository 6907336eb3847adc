// Trains and measures the study's network on a CPU, 4, 8 or 16 images side by side in each vector register.
//
// The activations of a block of images lie as [channel][y][x][image], so that every operation (convolution,
// normalization, ReLU, pooling, softmax) is the same instruction for all images of the block and no loop has a
// remainder. Of the forward pass only the convolutions' outputs are kept; normalized, rectified and dropped
// activations are worked out again where they are needed, in a scratch that stays in the cache.
//
// Batch normalization needs all blocks of a row before the next row; with everything else a block goes through
// all rows, forward and back, before the next block. Each block has a gradient of its own, and they are added up
// in their order, so that the result does not depend on the number of threads.

#include <pthread.h>

#include "activation.h"
#include "convolution.h"
#include "normalization.h"
#include "pooling.h"

static void pack_weights(Network& network, const float* parameters) {
    for (int r = 0; r < network.num_rows; r++) {
        Layer& layer = network.layers[r];
        int k = layer.row.kernel_size, inputs = layer.row.in_channels, outputs = layer.row.out_channels;
        const float* weight = parameters + layer.row.weight;
        for (int o = 0; o < outputs; o++)
            for (int i = 0; i < inputs; i++)
                for (int y = 0; y < k; y++)
                    for (int x = 0; x < k; x++, weight++) {
                        layer.packed[((i * k + y) * k + x) * outputs + o] = *weight;
                        layer.flipped[((o * k + k - 1 - y) * k + k - 1 - x) * inputs + i] = *weight;
                    }
    }
}

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

struct Thread {
    Task* task;
    int index;
    pthread_mutex_t* gate;
    pthread_barrier_t* barrier;

    template <class Action>
    void for_each_block(Action action) const {
        for (int b = index; b < task->num_blocks; b += task->num_threads)
            action(Block{*task, task->network->scratches[index], b});
    }
    void wait() const {
        if (task->num_threads > 1) pthread_barrier_wait(barrier);
    }
};

static void go_block_by_block(const Thread& thread) {
    int num_rows = thread.task->network->num_rows;
    thread.for_each_block([&](const Block& block) {
        for (int r = 0; r < num_rows; r++) forward(block, r);
        finish(block);
        for (int r = num_rows - 1; r >= 0 && block.task.is_training; r--) backward(block, r);
    });
}

static void go_row_by_row(const Thread& thread) {
    const Task& task = *thread.task;
    const Network& network = *task.network;
    for (int r = 0; r < network.num_rows; r++) {
        thread.for_each_block([&](const Block& block) { forward(block, r); });
        if (!network.layers[r].row.is_block) continue;
        thread.wait();
        if (thread.index == 0) merge_batch(task, r);
        thread.wait();
    }
    thread.for_each_block([&](const Block& block) { finish(block); });
    for (int r = network.num_rows - 1; r >= 0; r--) {
        thread.for_each_block([&](const Block& block) { backward(block, r); });
        if (r == 0 || !network.layers[r - 1].row.is_block) continue;
        thread.wait();
        if (thread.index == 0) merge_gradient_batch(task, r - 1);
        thread.wait();
    }
}

static void add_gradients(const Thread& thread) {
    const Task& task = *thread.task;
    int num_parameters = task.network->num_parameters;
    int share = (num_parameters + task.num_threads - 1) / task.num_threads, first = thread.index * share;
    for (int p = first; p < first + share && p < num_parameters; p++) {
        float total = 0;
        for (int b = 0; b < task.num_blocks; b++)
            total += task.network->gradients[(size_t)b * num_parameters + p];
        task.gradient[p] = total;
    }
}

static void* work(void* argument) {
    const Thread& thread = *(const Thread*)argument;
    pthread_mutex_lock(thread.gate);
    pthread_mutex_unlock(thread.gate);
    if (thread.task->is_blockwise) go_block_by_block(thread);
    else go_row_by_row(thread);
    if (thread.task->is_training) {
        thread.wait();
        add_gradients(thread);
    }
    return nullptr;
}

// Works on the task with as many threads as there are: the gate is open when their number is known.
static void share_work(Task& task) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_barrier_t barrier;
    Thread threads[MAX_THREADS];
    pthread_t handles[MAX_THREADS];
    int num_threads = 1;
    threads[0] = {&task, 0, &gate, &barrier};
    pthread_mutex_lock(&gate);
    for (; num_threads < task.num_threads; num_threads++) {
        threads[num_threads] = {&task, num_threads, &gate, &barrier};
        if (pthread_create(&handles[num_threads], nullptr, work, &threads[num_threads])) break;
    }
    task.num_threads = num_threads;
    pthread_barrier_init(&barrier, nullptr, num_threads);
    pthread_mutex_unlock(&gate);
    work(&threads[0]);
    for (int t = 1; t < num_threads; t++) pthread_join(handles[t], nullptr);
    pthread_barrier_destroy(&barrier);
}

static void perform(Task& task, int num_threads) {
    Network& network = *task.network;
    task.num_blocks = (task.num_images + LANES - 1) / LANES;
    task.is_blockwise = !task.is_training || network.kind != BATCH;
    task.num_threads = num_threads < task.num_blocks ? num_threads : task.num_blocks;
    if (task.num_threads > network.max_threads) task.num_threads = network.max_threads;
    pack_weights(network, task.parameters);
    if (task.is_training)
        memset(network.gradients, 0, sizeof(float) * task.num_blocks * (size_t)network.num_parameters);
    share_work(task);
}

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

extern "C" {

void lab_destroy(Network* network) {
    if (!network) return;
    for (int i = 0; i < network->num_owned; i++) free(network->owned[i]);
    free(network);
}

// Null where memory is short. num_images is the most that one call to lab_differentiate is given.
Network* lab_create(const Row* rows, int num_rows, int kind, int image_size, int num_parameters, int num_images,
                    int num_threads, float eps) {
    Network* network = (Network*)calloc(1, sizeof(Network));
    if (!network || num_rows > MAX_ROWS) return nullptr;
    network->kind = kind;
    network->image_size = image_size;
    network->num_parameters = num_parameters;
    network->eps = eps;
    network->max_blocks = (num_images + LANES - 1) / LANES;
    network->max_threads = num_threads < MAX_THREADS ? num_threads : MAX_THREADS;
    int size = image_size;
    for (int r = 0; r < num_rows; r++) {
        add_layer(*network, rows[r], size);
        size = network->layers[r].out_size;
    }
    add_scratches(*network);
    size_t num_gradients = (size_t)network->max_blocks * num_parameters;
    network->gradients = (float*)allocate(*network, num_gradients / LANES + 1);
    if (!network->is_short_of_memory) return network;
    lab_destroy(network);
    return nullptr;
}

// The gradient of the mean negative log-likelihood; brings the running statistics up to date.
void lab_differentiate(Network* network, const float* images, const int64_t* labels, int num_images,
                       const float* parameters, float* gradient, float* running_mean, float* running_var,
                       float momentum, float keep_scale, const int64_t* const* dropped,
                       const int64_t* num_dropped, int num_threads) {
    Task task = {};
    task.network = network;
    task.images = images;
    task.labels = labels;
    task.num_images = num_images;
    task.is_training = true;
    task.parameters = parameters;
    task.gradient = gradient;
    task.running_mean = running_mean;
    task.running_var = running_var;
    task.momentum = momentum;
    task.keep_scale = keep_scale;
    task.dropped = dropped;
    task.num_dropped = num_dropped;
    perform(task, num_threads);
}

// Log-probabilities [image][class] in eval mode.
void lab_predict(Network* network, const float* images, int num_images, const float* parameters,
                 float* running_mean, float* running_var, float* log_probabilities, int num_threads) {
    Task task = {};
    task.network = network;
    task.images = images;
    task.num_images = num_images;
    task.parameters = parameters;
    task.running_mean = running_mean;
    task.running_var = running_var;
    task.keep_scale = 1;
    task.log_probabilities = log_probabilities;
    perform(task, num_threads);
}
}
