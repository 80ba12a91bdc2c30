// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Pays owners what the coordinator's books owe them, out of what consumers deposited.
/// @notice Amounts are base units of one ERC-20. Entitlements are cumulative: a leaf says what an owner has earned in all
/// time, and a claim pays the difference to what that owner was paid before, so a proof can never be used twice.
interface IDistributor {
    /// @param root Root of OpenZeppelin's `standard-v1` tree over [address owner, uint256 cumulative].
    /// @param total Sum of all leaves.
    /// @param activatedAt Unix seconds from which claims against it are paid.
    /// @param disabled Set by the guardian before activation; for good.
    struct Root {
        bytes32 root;
        uint256 total;
        uint64 activatedAt;
        bool disabled;
    }

    /// @notice What an owner signs (EIP-712 `Claim`, domain "Idlemesh" version "1") so that anyone may relay it.
    /// @param owner Account of the leaf.
    /// @param recipient Where the tokens go.
    /// @param amount Cumulative amount of the leaf.
    /// @param fee Part of what is paid that goes to the relayer.
    /// @param deadline Unix seconds after which the signature is void.
    struct ClaimRequest {
        address owner;
        address recipient;
        uint256 amount;
        uint256 fee;
        uint256 deadline;
    }

    /// @notice `from` deposited `amount`. The coordinator credits it to `from` as a consumer.
    event Funded(address indexed from, uint256 amount);
    event RootPublished(uint256 indexed rootIndex, bytes32 root, uint256 total, uint64 activatedAt);
    event RootDisabled(uint256 indexed rootIndex);
    /// @param cumulative What `owner` has been paid in all time, this claim included.
    /// @param paid What moved now, fee included.
    /// @param fee Part of `paid` that went to the relayer.
    event Claimed(address indexed owner, address indexed recipient, uint256 cumulative, uint256 paid, uint256 fee);

    error ZeroAddress();
    error ZeroAmount();
    error NotPublisher(address caller);
    error NotGuardian(address caller);
    error EmptyRoot();
    /// @notice Entitlements never shrink, so neither does their sum.
    error TotalDecreased(uint256 total, uint256 allocated);
    /// @notice More was promised than consumers deposited.
    error NotFunded(uint256 total, uint256 funded);
    error UnknownRoot(uint256 rootIndex);
    error RootIsDisabled(uint256 rootIndex);
    error RootNotActive(uint256 rootIndex, uint64 activatedAt);
    error RootAlreadyActive(uint256 rootIndex);
    error InvalidProof();
    /// @notice The leaf grants no more than was already paid: a replay or an older root.
    error NothingDue(address owner, uint256 amount, uint256 claimed);
    /// @notice The trees behind the roots promise more than the totals published with them.
    error OverAllocated(uint256 totalClaimed, uint256 allocated);
    error Expired(uint256 deadline);
    error InvalidSignature(address owner);
    error FeeTooHigh(uint256 fee, uint256 due);

    /// @notice Pulls `amount` tokens from the caller (approve first) and records them as the caller's deposit.
    /// @dev The token must move exactly what it is told; one that charges on transfer is not supported.
    function fund(uint256 amount) external;

    /// @notice Appends a root. Publisher only.
    /// @return rootIndex Index of the new root.
    function publishRoot(bytes32 root, uint256 total) external returns (uint256 rootIndex);

    /// @notice Disables a root that is not active yet. Guardian only.
    function disableRoot(uint256 rootIndex) external;

    /// @notice Pays the caller the difference between `amount` and what it was paid before.
    function claim(uint256 rootIndex, uint256 amount, bytes32[] calldata proof) external;

    /// @notice Relays an owner's signed claim; the fee goes to the caller, the rest to the recipient.
    /// @param signature Of an externally owned account, or of a contract account by ERC-1271.
    function claimFor(
        ClaimRequest calldata request,
        uint256 rootIndex,
        bytes32[] calldata proof,
        bytes calldata signature
    ) external;

    /// @notice What `owner` has been paid in all time.
    function claimed(address owner) external view returns (uint256);

    /// @notice What all owners have been paid in all time.
    function totalClaimed() external view returns (uint256);

    /// @notice What consumers have deposited in all time.
    function funded() external view returns (uint256);

    /// @notice Total of the newest root that is not disabled; never above `funded`.
    function allocated() external view returns (uint256);

    function rootCount() external view returns (uint256);

    function rootAt(uint256 rootIndex) external view returns (Root memory);
}
