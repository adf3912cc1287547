/** How far behind is too far: inputs come at least twice a second. */
export const STALE_AFTER_MS = 5_000;

/** Milliseconds between the engine's last input and now; negative clock differences count as none. */
export function lagMs(lastInput: string, now: number): number {
  return Math.max(0, now - Date.parse(lastInput));
}

/** Says a lag in the largest fitting unit. */
export function lagText(ms: number): string {
  if (ms < 10_000) {
    return `${(ms / 1000).toFixed(1)} s`;
  }
  if (ms < 120_000) {
    return `${Math.round(ms / 1000)} s`;
  }
  return `${Math.round(ms / 60_000)} min`;
}
