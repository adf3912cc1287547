// What every screen looks at: one time, one selection, one engine. Asked once a second, never while hidden.
import type { ApiError } from "../bindings/ApiError";
import type { LabView } from "../bindings/LabView";
import type { ProposalRow } from "../bindings/ProposalRow";
import type { StatusView } from "../bindings/StatusView";
import type { TimelineEntry } from "../bindings/TimelineEntry";
import { asApiError, call } from "../platform/engine";

export type Screen = "approvals" | "topology" | "health" | "chat" | "lab";
export const SCREENS: readonly { id: Screen; name: string; key: string; glyph: string }[] = [
  { id: "approvals", name: "Approvals", key: "a", glyph: "✓" },
  { id: "topology", name: "Topology", key: "t", glyph: "⌘" },
  { id: "health", name: "Health", key: "h", glyph: "∿" },
  { id: "chat", name: "Chat", key: "c", glyph: "…" },
  { id: "lab", name: "Lab", key: "l", glyph: "⚗" },
];

const POLL_MS = 1_000;
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
    } catch (error) {
      this.error = asApiError(error);
    }
    this.now = Date.now();
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
