/** A stand-in for `bert-xml/codes`: a handful of codes, the same face. */
interface Hit {
  code: string;
  description: string;
  billable: boolean;
  matched: string | null;
}

const CODES: [code: string, description: string, billable: boolean][] = [
  ["J18.9", "Pneumonia, unspecified organism", true],
  ["J18.1", "Lobar pneumonia, unspecified organism", true],
  ["J45", "Asthma", false],
  ["J45.9", "Other and unspecified asthma", false],
  ["J45.901", "Unspecified asthma with (acute) exacerbation", true],
  ["J45.909", "Unspecified asthma, uncomplicated", true],
  ["I50.2", "Systolic (congestive) heart failure", false],
  ["I50.22", "Chronic systolic (congestive) heart failure", true],
  ["I50.23", "Acute on chronic systolic (congestive) heart failure", true],
  ["S52.5", "Fracture of lower end of radius", false],
  ["S52.532A", "Colles' fracture of left radius, initial encounter for closed fracture", true],
  ["E11.9", "Type 2 diabetes mellitus without complications", true],
  ["R05", "Cough", false],
  ["R05.1", "Acute cough", true],
];

export class CodeTable {
  readonly release = "2026-04";
  readonly size = CODES.length;

  static async load(_options: { signal?: AbortSignal } = {}): Promise<CodeTable> {
    return new CodeTable();
  }

  search(query: string, limit: number): Hit[] {
    const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
    return CODES.filter(([code, description]) =>
      wanted.every((word) => `${code} ${description}`.toLowerCase().includes(word)),
    )
      .slice(0, limit)
      .map(([code, description, billable]) => ({ code, description, billable, matched: null }));
  }

  get(code: string) {
    const found = CODES.find(([one]) => one === code);
    if (found === undefined) return undefined;
    return {
      code,
      description: found[1],
      billable: found[2],
      parent: code.slice(0, 3),
      block: "J09-J18",
      chapter: "10",
      children: [] as string[],
      inclusionTerms: [] as string[],
      excludes1: [] as string[],
      excludes2: [] as string[],
      chronic: false,
    };
  }

  moreSpecific(code: string, limit: number): Hit[] {
    return CODES.filter(([one, , billable]) => billable && one !== code && one.startsWith(code))
      .slice(0, limit)
      .map(([one, description, billable]) => ({ code: one, description, billable, matched: null }));
  }
}
