// A decision that can still be taken back: it is sent when its time is over, whatever screen is shown.

export type Decision = {
  what: "approve" | "reject";
  id: string;
  /** Hash of the plan that was on the screen. */
  hash: string;
  reason: string | null;
  /** Tier 3: the target as typed. */
  typed: string | null;
  /** Why it is approved although the twin may not judge. */
  override: string | null;
};

export type Pending = Decision & { until: number };

/** A decision can be taken back for this long. */
export const UNDO_MS = 5_000;

export class Undo {
  #pending: Pending | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly #send: (decision: Decision) => void;
  readonly #changed: (pending: Pending | undefined) => void;

  constructor(send: (decision: Decision) => void, changed: (pending: Pending | undefined) => void) {
    this.#send = send;
    this.#changed = changed;
  }

  /** Begins the undo time; false while another decision waits for its end. */
  decide(decision: Decision): boolean {
    if (this.#pending) {
      return false;
    }
    this.#set({ ...decision, until: Date.now() + UNDO_MS });
    this.#timer = setTimeout(() => {
      const due = this.#pending;
      this.#set(undefined);
      if (due) {
        this.#send(due);
      }
    }, UNDO_MS);
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
      clearTimeout(this.#timer);
      this.#set(undefined);
    }
    return taken;
  }

  #set(pending: Pending | undefined): void {
    this.#pending = pending;
    this.#changed(pending);
  }
}
