/** What a machine may lack: a test skipped for one of these reasons does not fail CI; any other skip does. The reason stands in the test's title. */
export const MAY_LACK: readonly string[] = [];
