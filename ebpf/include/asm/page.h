/* The page size, which bcc's own headers ask for. */
#define PAGE_SIZE 4096UL
