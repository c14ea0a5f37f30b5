// The words that the threads of a pool share (crates/batchnorm-wasm/src/threads.rs), by their index. In the first are the
// units that nobody claimed, which only the kernels look at.

/** Another with each job: what threads wait for. */
export const epochWord = 1
/** Units that are done: what the caller waits for. */
export const doneWord = 2
/** Whether the caller sleeps. */
export const waitingWord = 3
/** How many other threads do. */
export const sleepersWord = 4
/** Whether they are to end. */
export const stopWord = 5
/** How many have started. */
export const startedWord = 6
/** How many have come to their end. */
export const endedWord = 7
export const wordCount = 8
