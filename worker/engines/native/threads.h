// All blocks of a task through all rows, shared out among threads.
#pragma once

#include <pthread.h>

#include "passes.h"

struct Thread {
    Task* task;
    int index;
    pthread_mutex_t* gate;
    pthread_barrier_t* barrier;

    // Each block is taken by whichever thread is free; phase numbers the loops of a task.
    template <class Action>
    void for_each_block(int phase, Action action) const {
        int b;
        while ((b = __atomic_fetch_add(&task->num_taken[phase], 1, __ATOMIC_RELAXED)) < task->num_blocks)
            action(Block{*task, task->network->scratches[index], b});
    }
    void wait() const {
        if (task->num_threads > 1) pthread_barrier_wait(barrier);
    }
};

static void go_block_by_block(const Thread& thread) {
    int num_rows = thread.task->network->num_rows;
    thread.for_each_block(0, [&](const Block& block) {
        for (int r = 0; r < num_rows; r++) forward(block, r);
        finish(block);
        for (int r = num_rows - 1; r >= 0 && block.task.is_training; r--) backward(block, r);
    });
}

// Goes through rows until the statistics of all blocks are needed, meets the other threads, and goes on.
static void go_row_by_row(const Thread& thread) {
    Task& task = *thread.task;
    const Network& network = *task.network;
    int last = network.num_rows - 1, phase = 0;
    auto is_block = [&](int r) { return r >= 0 && network.layers[r].row.is_block; };
    auto meet = [&](auto merge, int r) {
        thread.wait();
        if (thread.index == 0) merge(task, r);
        thread.wait();
    };
    int r = 0;
    for (int first = 0; r <= last; first = r) {
        while (r < last && !is_block(r)) r++;
        thread.for_each_block(phase++, [&](const Block& block) {
            for (int row = first; row <= r; row++) forward(block, row);
            if (r == last) finish(block);
        });
        if (is_block(r)) meet(merge_batch, r);
        r++;
    }
    thread.wait();
    for (int first = r = last; r >= 0; first = r) {
        while (r > 0 && !is_block(r - 1)) r--;
        thread.for_each_block(phase++, [&](const Block& block) {
            for (int row = first; row >= r; row--) backward(block, row);
        });
        if (is_block(r - 1)) meet(merge_gradient_batch, r - 1);
        r--;
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
