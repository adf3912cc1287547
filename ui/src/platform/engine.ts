// The only door to the host: the desktop's engine, or a headless one that served this page.
import { invoke, isTauri } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { ApiError } from "../bindings/ApiError";
import type { CommandName } from "../bindings/CommandName";

/** An engine that does not answer is as good as none. */
const ANSWER_WITHIN_MS = 20_000;

/** Carries out one command. Rejects with an [`ApiError`] and nothing else. */
export async function call<T>(command: CommandName, args: unknown = null): Promise<T> {
  try {
    return isTauri() ? await invoke<T>("rpc", { command, arguments: JSON.stringify(args) }) : await post<T>(command, args);
  } catch (error) {
    throw asApiError(error);
  }
}

async function post<T>(command: CommandName, args: unknown): Promise<T> {
  const response = await fetch(`/rpc/${command}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(args),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const body: unknown = await response.json();
  if (!response.ok) {
    throw body;
  }
  return body as T;
}

/** What the first start can ask of the desktop; a served page has none of it. */
export type HostCommand = "start_demo" | "captures" | "open_capture" | "leave_capture" | "painted";

/** Asks the desktop itself, not the engine. */
export async function host<T>(command: HostCommand, args: Record<string, unknown> = {}): Promise<T> {
  if (!isTauri()) {
    throw { code: "PH-DESK-011", why: "this page runs in a browser; the engine that served it decides what it watches" } satisfies ApiError;
  }
  try {
    return await invoke<T>(command, args);
  } catch (error) {
    throw asApiError(error);
  }
}

export const inDesktop = isTauri();

export function asApiError(error: unknown): ApiError {
  if (typeof error === "object" && error !== null && "code" in error && "why" in error) {
    return { code: String(error.code), why: String(error.why) };
  }
  return { code: "PH-DESK-012", why: `the engine does not answer: ${error instanceof Error ? error.message : String(error)}` };
}

/** Tells the paths of files that are dropped on the desktop's window; a browser does not know them. Returns how to stop. */
export function onDrop(take: (paths: string[]) => void): () => void {
  if (!inDesktop) {
    return () => undefined;
  }
  const stop = listen<{ paths: string[] }>("tauri://drag-drop", (event) => take(event.payload.paths));
  return () => void stop.then((end) => end());
}
