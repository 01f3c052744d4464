/** Directives by name. */
export const PAGE_POLICY: Record<string, string>;
/** What the package asks of any page that loads it. */
export const PACKAGE_POLICY: Record<string, string>;
export const WORKER_POLICY: string;
export const SERVICE_WORKER_POLICY: string;
/** Sent with every answer, whatever its policy. */
export const COMMON: Record<string, string>;
/** The page's policy as one value; `meta`: without what a `meta` element cannot say. */
export function pagePolicy(options?: { meta?: boolean }): string;
/** Headers for a path below the page's folder, as `/index.html`. */
export function headersFor(path: string): Record<string, string>;
