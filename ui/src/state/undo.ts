// A decision that can still be taken back: it is sent when its time is over, whatever screen is shown.

export type Decision = {
  what: "approve" | "reject";
  id: string;
  /** Hash of the plan that was on the screen. */
  hash: string;
  reason: string | null;
  /** Tier 3: the target as typed. */
  typed: string | null;
};

export type Pending = Decision & { until: number };

/** Time, so that a test needs none. */
export type Clock = { now: () => number; after: (ms: number, run: () => void) => unknown; cancel: (timer: unknown) => void };

const wall: Clock = {
  now: () => Date.now(),
  after: (ms, run) => setTimeout(run, ms),
  cancel: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

/** A decision can be taken back for this long. */
export const UNDO_MS = 5_000;

export class Undo {
  #pending: Pending | undefined;
  #timer: unknown;

  readonly #send: (decision: Decision) => void;
  readonly #changed: (pending: Pending | undefined) => void;
  readonly #clock: Clock;

  constructor(send: (decision: Decision) => void, changed: (pending: Pending | undefined) => void, clock: Clock = wall) {
    this.#send = send;
    this.#changed = changed;
    this.#clock = clock;
  }

  /** Begins the undo time; false while another decision waits for its end. */
  decide(decision: Decision): boolean {
    if (this.#pending) {
      return false;
    }
    this.#set({ ...decision, until: this.#clock.now() + UNDO_MS });
    this.#timer = this.#clock.after(UNDO_MS, () => {
      const due = this.#pending;
      this.#set(undefined);
      if (due) {
        this.#send(due);
      }
    });
    return true;
  }

  /** Gives a rejection its reason. */
  reason(reason: string): void {
    if (this.#pending?.what === "reject") {
      this.#set({ ...this.#pending, reason });
    }
  }

  /** Takes the decision back; returns it if there was one. */
  takeBack(): Decision | undefined {
    const taken = this.#pending;
    if (taken) {
      this.#clock.cancel(this.#timer);
      this.#set(undefined);
    }
    return taken;
  }

  #set(pending: Pending | undefined): void {
    this.#pending = pending;
    this.#changed(pending);
  }
}
