// All blocks of a task through all rows, shared out among threads.
#pragma once

#include <pthread.h>

#include "passes.h"

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
