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

#include "memory.h"
#include "threads.h"

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
