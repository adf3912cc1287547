// Numbers and times as a NOC reads them.

/** How far behind is too far: inputs come at least twice a second. */
export const STALE_AFTER_MS = 5_000;

/** `14:03:27`, local or UTC. */
export function clock(time: string | number, utc: boolean): string {
  const d = new Date(time);
  return Number.isNaN(d.getTime()) ? "–" : utc ? d.toISOString().slice(11, 19) : d.toTimeString().slice(0, 8);
}

/** An age or a remaining time in the largest fitting unit. */
export function span(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) {
    return `${s.toFixed(1)} s`;
  }
  if (s < 120) {
    return `${Math.round(s)} s`;
  }
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

export function bits(bps: number | null): string {
  if (bps === null) {
    return "unknown";
  }
  const [value, unit] = bps >= 1e9 ? [bps / 1e9, "Gbit/s"] : bps >= 1e6 ? [bps / 1e6, "Mbit/s"] : [bps / 1e3, "kbit/s"];
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${unit}`;
}

export function ms(value: number | null): string {
  return value === null ? "unknown" : `${value.toFixed(1)} ms`;
}

export function percent(ratio: number | null, digits = 2): string {
  return ratio === null ? "unknown" : `${(ratio * 100).toFixed(digits)} %`;
}

/** P1…P4 with the shape that goes with the colour. */
export const SHAPES = ["", "■", "▲", "◆", "●"] as const;

/** Load of a link as a severity: the guardrails' 85 % is major, 70 % a warning. */
export function loadSeverity(bps: number | null, capacity: number): number {
  if (bps === null || capacity <= 0) {
    return 0;
  }
  const share = bps / capacity;
  return share >= 0.95 ? 1 : share >= 0.85 ? 2 : share >= 0.7 ? 3 : 0;
}

/** Bytes of a file. */
export function size(bytes: number): string {
  const [value, unit] = bytes >= 1e9 ? [bytes / 1e9, "GB"] : bytes >= 1e6 ? [bytes / 1e6, "MB"] : bytes >= 1e3 ? [bytes / 1e3, "kB"] : [bytes, "bytes"];
  return unit === "bytes" ? `${value} bytes` : `${value.toFixed(1)} ${unit}`;
}

/** A place in a capture as somebody types it: the number of an input, a time of day near `nearMs`, or a whole date; `undefined`: none of these. */
export function place(text: string, nearMs: number, utc: boolean): { to_input: number } | { to_ms: number } | undefined {
  const typed = text.trim();
  if (/^\d+$/.test(typed)) {
    return { to_input: Number(typed) };
  }
  const time = /^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?$/.exec(typed);
  if (time) {
    const day = new Date(nearMs);
    const [h, m, s] = [Number(time[1]), Number(time[2]), Number(time[3] ?? 0)];
    return { to_ms: utc ? Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate(), h, m) + s * 1000 : new Date(day.getFullYear(), day.getMonth(), day.getDate(), h, m).getTime() + s * 1000 };
  }
  const date = Date.parse(typed);
  return Number.isNaN(date) ? undefined : { to_ms: date };
}
