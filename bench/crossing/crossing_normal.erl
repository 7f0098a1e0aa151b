%%% The longest calls of what runs on a normal scheduler, which should take less than a millisecond
%%% whatever a client or an admin makes it see, and whatever dirty NIFs do meanwhile. And those of arrive
%%% and leave, which do not: they wait for whoever reads.
-module(crossing_normal).

-export([all/1, large_roster/1]).

-define(HOST, <<"example.org">>).
-define(AUTHOR, <<"author@example.org">>).
%% The largest stanza from another server by Debian's configuration (`max_stanza_size').
-define(LARGE, 524_288).

-spec all(crossing_series:options()) -> [crossing_series:row()].
all(Options) ->
    ids(Options) ++ empty(Options) ++ online(Options) ++ portions(Options) ++ gone(Options).

longest(Options, Name, What, Calls, Fun) ->
    crossing_series:longest(Options, Name, What, {Calls, Fun}).

%%% What a client writes into one attribute

ids(Options) ->
    Fill = fun(Before, Part, After) ->
        Times = (?LARGE - byte_size(Before) - byte_size(After)) div byte_size(Part),
        <<Before/binary, (binary:copy(Part, Times))/binary, After/binary>>
    end,
    Ids = [
        {<<"a post, ASCII">>, Fill(<<"/twitter/MyStream/">>, <<"x">>, <<>>)},
        {<<"a post, other letters">>, Fill(<<"/twitter/MyStream/">>, <<"ü"/utf8>>, <<>>)},
        {<<"a friend">>, Fill(<<"/twitter/MyFriends/">>, <<"x">>, <<"@example.org">>)},
        {<<"only !">>, Fill(<<>>, <<"!">>, <<>>)},
        {<<"only /">>, Fill(<<"/twitter/">>, <<"/">>, <<>>)}
    ],
    Stored = [
        {<<"a stored node">>, Fill(<<"/twitter/">>, <<"x">>, <<"@h/MyStream">>)},
        {<<"a stored node, only %21">>, Fill(<<"/twitter/">>, <<"%21">>, <<"@h/MyStream">>)}
    ],
    Longest = <<(binary:copy(<<"%">>, 1023))/binary, "@", (binary:copy(<<"!">>, 1023))/binary>>,
    Large = <<"512 KiB, ">>,
    [
        longest(Options, Name, <<Large/binary, What/binary>>, 200, fun(_) -> twitter_nif:Name(Id) end)
     || Name <- [parse_node, parse_disco_node], {What, Id} <- Ids
    ] ++
        [
            longest(Options, author_of_stored, <<Large/binary, What/binary>>, 200, fun(_) ->
                twitter_nif:author_of_stored(Id)
            end)
         || {What, Id} <- Stored
        ] ++
        [
            longest(Options, node_id, <<"512 KiB, a post">>, 200, fun(_) ->
                twitter_nif:node_id({post, {mine, binary:part(element(2, hd(Ids)), 18, ?LARGE - 18)}})
            end),
            longest(Options, stored_node, <<"a JID of 2,047 bytes">>, 20_000, fun(_) ->
                twitter_nif:stored_node(Longest)
            end)
        ].

%%% What makes something empty; max_depth does nothing, so it shows what the machine itself takes

empty(Options) ->
    Calls = 50_000,
    [
        longest(Options, max_depth, <<"(nothing)">>, Calls, fun(_) -> twitter_nif:max_depth() end),
        longest(Options, online_new, <<>>, Calls, fun(_) -> twitter_nif:online_new() end),
        longest(Options, rosters_new, <<>>, Calls, fun(_) -> twitter_nif:rosters_new(1 bsl 27) end),
        longest(Options, index_new, <<>>, 200, fun(_) -> twitter_nif:index_new(1 bsl 28, 1 bsl 26) end),
        longest(Options, hold_new, <<>>, Calls, fun(_) -> twitter_nif:hold_new() end)
    ].

%%% Sessions

online(#{quick := Quick} = Options) ->
    Count = if Quick -> 20_000; true -> 200_000 end,
    Users = list_to_tuple([crossing_pairs:user(N) || N <- lists:seq(1, Count)]),
    Arrive = fun(Online) ->
        fun(N) -> true = twitter_nif:arrive(Online, element(N, Users), self(), <<"phone">>) end
    end,
    Full = fun() ->
        Online = twitter_nif:online_new(),
        lists:foreach(Arrive(Online), lists:seq(1, Count)),
        Online
    end,
    Size = number(Count),
    [
        crossing_series:longest(
            Options,
            arrive,
            <<Size/binary, " users log in">>,
            fun() -> {Count, Arrive(twitter_nif:online_new())} end,
            fun(_) -> ok end
        ),
        crossing_series:longest(
            Options,
            leave,
            <<Size/binary, " users log out">>,
            fun() ->
                Online = Full(),
                {Count, fun(N) -> true = twitter_nif:leave(Online, element(N, Users), self()) end}
            end,
            fun(_) -> ok end
        )
    ] ++ beside(Options, Full(), Users).

%% While others walk through all sessions, and through a roster of a million lines.
beside(#{quick := Quick} = Options, Online, Users) ->
    {Rosters, _} = large_roster(Quick),
    Here = [{?HOST, Online}],
    Size = number(tuple_size(Users)),
    Walks = [
        {<<"alone, ", Size/binary, " users">>, []},
        {<<"while all_sessions/1 runs">>, [fun() -> twitter_nif:all_sessions(Online) end]},
        {<<"while remembered_recipients/3 runs">>, [
            fun() -> twitter_nif:remembered_recipients(Rosters, ?AUTHOR, Here, [?HOST]) end
        ]}
    ],
    Foreign = binary:copy(<<"x">>, ?LARGE),
    Random = fun(N) -> element(erlang:phash2(N, tuple_size(Users)) + 1, Users) end,
    Works = [
        {sessions, 20_000, fun(N) -> twitter_nif:sessions(Online, Random(N)) end},
        {arrive, 2_000, fun(N) -> twitter_nif:arrive(Online, new(N), self(), <<"phone">>) end},
        {leave, 2_000, fun(N) -> twitter_nif:leave(Online, new(N), self()) end},
        {next_portion, 20_000, portion(Rosters, Here)},
        %% Takes no lock: it shows what waits only for a processor.
        {parse_node, 20_000, fun(_) -> foreign = twitter_nif:parse_node(Foreign) end}
    ],
    [
        during(Walk, fun() -> longest(Options, Name, What, Calls, Fun) end)
     || {What, Walk} <- Walks, {Name, Calls, Fun} <- Works
    ].

new(N) -> <<"new", (integer_to_binary(N rem 1000))/binary>>.

%% A portion of 250 sessions; what comes between two of them is not timed.
portion(Rosters, Here) ->
    Before = fun(_) ->
        Said = erase(said),
        %% Or the time has a garbage collection in it.
        _ = erlang:garbage_collect(),
        case Said of
            {portion, _} ->
                ok;
            recheck ->
                {ok, checked} = twitter_nif:remembered_recheck(Rosters, ?AUTHOR, get(fanout));
            _ ->
                {ok, New} = twitter_nif:remembered_recipients(Rosters, ?AUTHOR, Here, [?HOST]),
                put(fanout, New)
        end
    end,
    {Before, fun(_) -> put(said, twitter_nif:next_portion(get(fanout), Here)) end}.

%% Does something while others do the same again and again.
during(Walks, Fun) ->
    Pids = [spawn_link(fun() -> again(Walk) end) || Walk <- Walks],
    Result = Fun(),
    [
        begin
            unlink(Pid),
            Monitor = monitor(process, Pid),
            exit(Pid, kill),
            receive
                {'DOWN', Monitor, process, Pid, _} -> ok
            end
        end
     || Pid <- Pids
    ],
    Result.

again(Walk) ->
    _ = Walk(),
    again(Walk).

%% @doc A roster of a million readers (fewer in a quick run), and all of them.
-spec large_roster(Quick :: boolean()) -> {twitter_nif:rosters(), Readers :: [binary()]}.
large_roster(Quick) ->
    Count = if Quick -> 50_000; true -> 1_000_000 end,
    Rosters = twitter_nif:rosters_new(1 bsl 32),
    Readers = [crossing_pairs:jid(N) || N <- lists:seq(1, Count)],
    ok = crossing_pairs:loaded(Rosters, ?AUTHOR, Readers),
    {Rosters, Readers}.

%%% Portions

portions(#{quick := Quick} = Options) ->
    Online = twitter_nif:online_new(),
    Count = if Quick -> 20_000; true -> 200_000 end,
    Users = [crossing_pairs:user(N) || N <- lists:seq(1, Count)],
    Lines = [{User, ?HOST, <<>>, both} || User <- Users],
    Size = number(Count),
    Here = [{?HOST, Online}],
    Log = fun(Fun) -> lists:foreach(Fun, Users) end,
    Many = [{<<"host", (integer_to_binary(N))/binary>>, Online} || N <- lists:seq(1, 999)] ++ Here,
    Noted = fun() ->
        Log(fun(User) -> twitter_nif:arrive(Online, User, self(), <<"phone">>) end),
        twitter_nif:recipients(?AUTHOR, Lines, Here, [?HOST])
    end,
    [
        crossing_series:longest(
            Options,
            next_portion,
            <<Size/binary, " noted, all of them left since">>,
            fun() ->
                Fanout = Noted(),
                Log(fun(User) -> twitter_nif:leave(Online, User, self()) end),
                {3, fun(_) -> twitter_nif:next_portion(Fanout, Here) end}
            end,
            fun(_) -> ok end
        ),
        crossing_series:longest(
            Options,
            next_portion,
            <<"a server of 1,000 hosts">>,
            fun() ->
                Fanout = Noted(),
                {15, fun(_) -> {portion, _} = twitter_nif:next_portion(Fanout, Many) end}
            end,
            fun(_) -> ok end
        )
    ].

%%% What the garbage collector frees

gone(#{quick := Quick} = Options) ->
    Count = if Quick -> 20_000; true -> 200_000 end,
    Size = number(Count),
    Line = fun(N) -> {<<"a">>, <<"host", (integer_to_binary(N))/binary>>, <<>>, both} end,
    Make = [
        {<<"frees who is online: ">>, fun() ->
            Online = twitter_nif:online_new(),
            Arrive = fun(N) -> twitter_nif:arrive(Online, crossing_pairs:user(N), self(), <<"phone">>) end,
            lists:foreach(Arrive, lists:seq(1, Count)),
            Online
        end},
        {<<"frees recipients, each of another domain: ">>, fun() ->
            twitter_nif:recipients(?AUTHOR, lists:map(Line, lists:seq(1, Count)), [], [])
        end},
        {<<"frees a roster of five times ">>, fun() ->
            element(1, large_roster(Quick))
        end},
        {<<"frees none of ">>, fun() -> none end}
    ],
    [
        crossing_series:longest(
            Options,
            yield,
            <<What/binary, Size/binary>>,
            fun() ->
                put(held, crossing_series:in_process(Fun)),
                _ = process_flag(scheduler, 1),
                {1_000, fun(N) -> dropped(N rem 100) end}
            end,
            fun(_) -> ok end
        )
     || {What, Fun} <- Make
    ].

%% Erlang frees when the process that has collected its garbage gives way: how long until it goes on?
dropped(0) ->
    _ = erase(held),
    _ = erlang:garbage_collect(),
    erlang:yield();
dropped(_) ->
    erlang:yield().

number(Number) ->
    iolist_to_binary(io_lib:format("~b,~3..0b", [Number div 1000, Number rem 1000])).
