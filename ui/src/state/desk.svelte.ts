// What every screen looks at: one time, one selection, one engine. Asked once a second, never while hidden.
import type { ApiError } from "../bindings/ApiError";
import type { LabView } from "../bindings/LabView";
import type { ProposalRow } from "../bindings/ProposalRow";
import type { StatusView } from "../bindings/StatusView";
import type { TimelineEntry } from "../bindings/TimelineEntry";
import { asApiError, call } from "../platform/engine";
import { Undo, type Decision, type Pending } from "./undo";

export type Screen = "approvals" | "topology" | "health" | "chat" | "lab";
export const SCREENS: readonly { id: Screen; name: string; key: string; glyph: string }[] = [
  { id: "approvals", name: "Approvals", key: "a", glyph: "✓" },
  { id: "topology", name: "Topology", key: "t", glyph: "⌘" },
  { id: "health", name: "Health", key: "h", glyph: "∿" },
  { id: "chat", name: "Chat", key: "c", glyph: "…" },
  { id: "lab", name: "Lab", key: "l", glyph: "⚗" },
];

const POLL_MS = 1_000;
/** What the desktop says until its engine answers. */
const STARTING = "PH-DESK-017";
const TIMELINE_MAX = 1_000;

class Desk {
  screen = $state<Screen>("topology");
  status = $state.raw<StatusView | undefined>();
  error = $state.raw<ApiError | undefined>();
  timeline = $state.raw<TimelineEntry[]>([]);
  proposals = $state.raw<ProposalRow[]>([]);
  lab = $state.raw<LabView | null>(null);
  /** Device, exit, provider or proposal that is selected everywhere. */
  selected = $state<string | undefined>();
  utc = $state(false);
  now = $state(Date.now());
  /** Counts polls that succeeded; screens fetch their own data behind it. */
  tick = $state(0);
  inspector = $state(true);
  keys = $state(false);
  palette = $state(false);
  /** Said by a screen reader at once. */
  alarm = $state("");
  /** The engine comes up; that is a wait, no fault. */
  starting = $state(false);
  /** A decision that can still be taken back. */
  pending = $state.raw<Pending | undefined>();
  /** What became of the last decision, and what went wrong with it. */
  said = $state.raw<string[]>([]);
  refused = $state.raw<ApiError | undefined>();
  readonly #undo = new Undo(
    (decision) => void this.#send(decision),
    (pending) => (this.pending = pending),
  );
  #known = new Set<string>();
  #first = true;

  readonly waiting = $derived(this.proposals.filter((p) => p.status === "waiting"));
  readonly lagMs = $derived(this.status ? Math.max(0, this.now - Date.parse(this.status.time)) : 0);

  start(): () => void {
    void this.poll();
    const timer = setInterval(() => {
      if (!document.hidden) {
        void this.poll();
      }
    }, POLL_MS);
    return () => clearInterval(timer);
  }

  async poll(): Promise<void> {
    const last = this.timeline.at(-1)?.id ?? 0;
    try {
      const [status, news, proposals, lab] = await Promise.all([
        call<StatusView>("status"),
        call<TimelineEntry[]>("timeline", last),
        call<ProposalRow[]>("history"),
        call<LabView | null>("lab"),
      ]);
      this.status = status;
      if (news.length > 0) {
        this.timeline = [...this.timeline, ...news].slice(-TIMELINE_MAX);
      }
      this.#announce(proposals);
      this.proposals = proposals;
      this.lab = lab;
      this.error = undefined;
      this.tick += 1;
      this.starting = false;
    } catch (error) {
      const why = asApiError(error);
      this.starting = why.code === STARTING;
      this.error = this.starting ? undefined : why;
    }
    this.now = Date.now();
  }

  /** Begins the five seconds of undo; the decision goes to the engine after them. */
  decide(decision: Decision): void {
    if (this.#undo.decide(decision)) {
      this.refused = undefined;
      this.said = [];
    }
  }

  reason(reason: string): void {
    this.#undo.reason(reason);
  }

  takeBack(): void {
    const taken = this.#undo.takeBack();
    if (taken) {
      this.said = [`${taken.id}: ${taken.what === "approve" ? "approval" : "rejection"} taken back, nothing was sent`];
    }
  }

  async #send(decision: Decision): Promise<void> {
    const { id, hash, reason, typed } = decision;
    try {
      this.said =
        decision.what === "approve"
          ? await call<string[]>("approve", { id, plan_hash: hash, typed_target: typed })
          : await call<string[]>("reject", { id, reason });
    } catch (error) {
      this.refused = asApiError(error);
    }
    await this.poll();
  }

  #announce(proposals: ProposalRow[]): void {
    const fresh = proposals.filter((p) => p.status === "waiting" && !this.#known.has(p.id));
    fresh.forEach((p) => this.#known.add(p.id));
    if (fresh.length > 0) {
      this.alarm = fresh.length === 1 ? `New approval ${fresh[0]?.id}: ${fresh[0]?.summary}` : `${fresh.length} new approvals`;
    }
    // the first screen is what waits, else the network
    if (this.#first) {
      this.#first = false;
      if (fresh.length > 0 && location.hash === "") {
        this.go("approvals");
      }
    }
  }

  go(screen: Screen, selected?: string): void {
    this.screen = screen;
    if (selected !== undefined) {
      this.selected = selected;
    }
    history.replaceState(null, "", `#/${screen}${this.selected ? `/${encodeURIComponent(this.selected)}` : ""}`);
  }

  select(id: string | undefined): void {
    this.go(this.screen, id ?? "");
    this.selected = id;
  }

  /** Follows a link that somebody pasted. */
  follow(hash: string): void {
    const [screen, selected] = hash.replace(/^#\//, "").split("/");
    const found = SCREENS.find((s) => s.id === screen);
    if (found) {
      this.screen = found.id;
      this.selected = selected ? decodeURIComponent(selected) : undefined;
    }
  }
}

export const desk = new Desk();
