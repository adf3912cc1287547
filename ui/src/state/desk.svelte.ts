// What every screen looks at: one time, one selection, one engine. Asked once a second, never while hidden.
import type { ApiError } from "../bindings/ApiError";
import type { LabView } from "../bindings/LabView";
import type { ProposalRow } from "../bindings/ProposalRow";
import type { ReplayArguments } from "../bindings/ReplayArguments";
import type { ReplayView } from "../bindings/ReplayView";
import type { StatusView } from "../bindings/StatusView";
import type { TimelineEntry } from "../bindings/TimelineEntry";
import { asApiError, call, inDesktop } from "../platform/engine";
import { Undo, type Decision, type Pending } from "./undo";

export type Screen = "approvals" | "topology" | "health" | "chat" | "replay" | "import" | "lab";
export const SCREENS: readonly { id: Screen; name: string; key: string; glyph: string }[] = [
  { id: "approvals", name: "Approvals", key: "a", glyph: "✓" },
  { id: "topology", name: "Topology", key: "t", glyph: "⌘" },
  { id: "health", name: "Health", key: "h", glyph: "∿" },
  { id: "chat", name: "Chat", key: "c", glyph: "…" },
  { id: "replay", name: "Replay", key: "r", glyph: "↺" },
  { id: "import", name: "Import", key: "i", glyph: "⤓" },
  { id: "lab", name: "Lab", key: "l", glyph: "⚗" },
];

const POLL_MS = 1_000;
/** In a calm network that nobody touches every second poll is left out: a window beside others costs next to nothing. */
const TOUCHED_MS = 10_000;
/** What the desktop says until its engine answers. */
const STARTING = "PH-DESK-017";
const TIMELINE_MAX = 1_000;

/** What this window was told before; a web view without storage forgets it. */
function remembered(name: string, otherwise: boolean): boolean {
  try {
    return (localStorage.getItem(name) ?? String(otherwise)) === "true";
  } catch {
    return otherwise;
  }
}

function remember(name: string, value: boolean): boolean {
  try {
    localStorage.setItem(name, String(value));
  } catch {
    // it is kept as long as the window is open
  }
  return value;
}

class Desk {
  screen = $state<Screen>("topology");
  status = $state.raw<StatusView | undefined>();
  error = $state.raw<ApiError | undefined>();
  timeline = $state.raw<TimelineEntry[]>([]);
  proposals = $state.raw<ProposalRow[]>([]);
  lab = $state.raw<LabView | null>(null);
  /** Where the replay stands; `null`: devices are watched, nothing is replayed. */
  replay = $state.raw<ReplayView | null>(null);
  /** Device, exit, provider or proposal that is selected everywhere. */
  selected = $state<string | undefined>();
  utc = $state(remembered("utc", false));
  now = $state(Date.now());
  /** Counts polls that succeeded; screens fetch their own data behind it. */
  tick = $state(0);
  inspector = $state(remembered("inspector", true));
  keys = $state(false);
  palette = $state(false);
  /** Said by a screen reader at once. */
  alarm = $state("");
  /** The engine comes up; that is a wait, no fault. */
  starting = $state(false);
  /** A decision that can still be taken back. */
  pending = $state.raw<Pending | undefined>();
  /** What became of the last decision: of which proposal, in sentences, and what went wrong with it. */
  decided = $state.raw<{ id: string; said: string[]; refused?: ApiError } | undefined>();
  readonly #undo = new Undo(
    (decision) => void this.#send(decision),
    (pending) => (this.pending = pending),
  );
  #known = new Set<string>();
  /** Looks begun, and the latest whose answer is shown. */
  #looks = 0;
  #shown = 0;
  #first = true;

  readonly waiting = $derived(this.proposals.filter((p) => p.status === "waiting"));
  /** Nothing is open that somebody may wait for. */
  readonly calm = $derived(
    this.status !== undefined && this.error === undefined && this.pending === undefined && this.replay === null &&
      this.status.findings.length === 0 && this.status.waiting === 0 && this.status.changing === 0,
  );
  readonly replays = $derived(this.status?.mode === "REPLAY");
  readonly lagMs = $derived(this.status && !this.replays ? Math.max(0, this.now - Date.parse(this.status.time)) : 0);
  /** Screens that there is something on. */
  readonly screens = $derived(SCREENS.filter((s) => (s.id === "lab" ? this.lab !== null : s.id === "replay" ? inDesktop || this.replays : true)));

  /** Local time or UTC, for this window from now on. */
  toggleUtc(): void {
    this.utc = remember("utc", !this.utc);
  }

  toggleInspector(): void {
    this.inspector = remember("inspector", !this.inspector);
  }

  start(): () => void {
    void this.poll();
    let even = false;
    let touched = Date.now();
    const timer = setInterval(() => {
      even = !even;
      if (!document.hidden && (even || !this.calm || Date.now() - touched < TOUCHED_MS)) {
        void this.poll();
      }
    }, POLL_MS);
    const touch = (): void => void (touched = Date.now());
    const touches = ["pointerdown", "keydown", "wheel"] as const;
    touches.forEach((kind) => addEventListener(kind, touch, { passive: true, capture: true }));
    return () => {
      clearInterval(timer);
      touches.forEach((kind) => removeEventListener(kind, touch, { capture: true }));
    };
  }

  /** Asks what is new. Looks may overlap, when the engine is slow or something was just decided: an answer that a later one overtook is dropped. */
  async poll(): Promise<void> {
    const last = this.timeline.at(-1)?.id ?? 0;
    const look = ++this.#looks;
    try {
      const [status, since, proposals, lab, replay] = await Promise.all([
        call<StatusView>("status"),
        call<TimelineEntry[]>("timeline", last),
        call<ProposalRow[]>("history"),
        call<LabView | null>("lab"),
        call<ReplayView | null>("replay"),
      ]);
      // another engine, or a replay that began again: what was told before is void
      const other = this.status !== undefined && this.status.epoch !== status.epoch;
      const told = other ? await call<TimelineEntry[]>("timeline", 0) : since;
      if (look < this.#shown) {
        return;
      }
      this.#shown = look;
      if (other) {
        this.timeline = [];
        this.#known.clear();
        this.decided = undefined;
      }
      this.status = status;
      this.replay = replay;
      // an earlier look may have brought some of it; a list with one entry twice is not drawn
      const newest = this.timeline.at(-1)?.id ?? 0;
      const news = told.filter((e) => e.id > newest);
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
      if (look < this.#shown) {
        return;
      }
      this.#shown = look;
      const why = asApiError(error);
      this.starting = why.code === STARTING;
      this.error = this.starting ? undefined : why;
    }
    // in a replay it is as late as the capture says
    this.now = this.replays && this.status ? Date.parse(this.status.time) : Date.now();
  }

  /** Runs, stops, hurries or sets the clock of a replay. */
  async clock(order: ReplayArguments): Promise<void> {
    try {
      this.replay = await call<ReplayView>("replay_control", order);
    } catch (error) {
      this.error = asApiError(error);
    }
    await this.poll();
  }

  /** Begins the five seconds of undo; the decision goes to the engine after them. */
  decide(decision: Decision): void {
    if (this.#undo.decide(decision)) {
      this.decided = undefined;
    }
  }

  reason(reason: string): void {
    this.#undo.reason(reason);
  }

  takeBack(): void {
    const taken = this.#undo.takeBack();
    if (taken) {
      this.decided = { id: taken.id, said: [`${taken.what === "approve" ? "approval" : "rejection"} taken back, nothing was sent`] };
    }
  }

  async #send(decision: Decision): Promise<void> {
    const { id, hash, reason, typed, override } = decision;
    try {
      const said =
        decision.what === "approve"
          ? await call<string[]>("approve", { id, plan_hash: hash, typed_target: typed, override_reason: override })
          : await call<string[]>("reject", { id, reason });
      this.decided = { id, said };
    } catch (error) {
      this.decided = { id, said: [], refused: asApiError(error) };
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
