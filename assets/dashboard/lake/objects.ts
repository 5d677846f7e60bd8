/** What a lake needs of the bucket it is in: services differ in how they list and read, and in nothing else. */
export interface LakeObjects {
  /** All whose keys begin so, however many they are. */
  list(prefix: string): Promise<readonly Listed[]>;
  /** Text of one; undefined when there is none. */
  read(key: string): Promise<string | undefined>;
  /** Gives connections back. */
  close(): void;
}

export interface Listed {
  readonly key: string;
  /** Another one after each change of the object. */
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modified: number;
}
