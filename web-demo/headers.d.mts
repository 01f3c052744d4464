export const PAGE_POLICY: Record<string, string>;
export const WORKER_POLICY: string;
export const SERVICE_WORKER_POLICY: string;
export const COMMON: Record<string, string>;
export function pagePolicy(options?: { meta?: boolean }): string;
export function headersFor(path: string): Record<string, string>;
