// Runs a program of an earlier version in the folder that it is given first, as that version's provider would start it.
// The program is not the main module: one of its parts would take itself for that when all are in one file.
await import(process.argv[3]);
