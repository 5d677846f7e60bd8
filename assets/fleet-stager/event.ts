/** What a part of the software is made of. Each value is a key of the lake, where the stack has put what it names. */
export interface Contents {
  /** Files of our own, by the path that they get: scripts. */
  readonly files?: Readonly<Record<string, string>>;
  /** A jars.txt: lines of a SHA-256 and a path in a Maven repository. */
  readonly jars?: string;
  /** A requirements.txt with hashes, whose wheels are for Python 3.11 on x86_64. */
  readonly requirements?: string;
  /** Whether a package without such a wheel comes as its source, which machines make a wheel of. @default false */
  readonly sources?: boolean;
}

/** Puts into the lake what machines without a way to the internet install. */
export interface Staging {
  /** The lake's bucket. */
  readonly bucket: string;
  /** Where wheels come from, a simple index such as `https://pypi.org/simple`. */
  readonly packageIndex: string;
  /** Where jars come from, a Maven repository such as `https://repo1.maven.org/maven2`. */
  readonly maven: string;
  /** What becomes a manifest each, by a name that the answer has: its parts by their names. */
  readonly manifests: Readonly<Record<string, Readonly<Record<string, Contents>>>>;
}

/** A line of a manifest, which is a list of them as JSON. */
export interface Entry {
  /** What it is a part of; each is installed as a whole. */
  readonly part: string;
  readonly kind: "jar" | "script" | "sdist" | "wheel";
  /** File name, and that of a script with the folders that it lies in. */
  readonly name: string;
  /** `_software/<sha256>/<file name>`. */
  readonly key: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** The function's answer: all is there. */
export interface Staged {
  /** Digests of the manifests, by name: each lies at `_software/manifests/<digest>.json`, and the digest is its own SHA-256. */
  readonly manifests: Readonly<Record<string, string>>;
  /** How many different files they name. */
  readonly files: number;
  /** How many of them were not there before. */
  readonly copied: number;
  /** Bytes that were copied. */
  readonly bytes: number;
}
