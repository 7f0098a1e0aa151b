%%% The same work by the NIF and by ETS: a page of the posts of 500 friends, a new post, and what both
%%% take for it.
-module(crossing_page).

-export([all/1]).

-define(FRIENDS, 500).
-define(POSTS, 100).
-define(LIMIT, 20).
-define(START, 1_200_000_000_000_000).

-spec all(crossing_series:options()) -> {[crossing_series:row()], Memory :: map()}.
all(Options) ->
    Authors = [author(N) || N <- lists:seq(1, ?FRIENDS)],
    Posts = [{Author, At, id(At), payload(At)} || Author <- Authors, At <- times(Author)],
    Index = filled(Authors, Posts),
    Before = ets_bytes(),
    {Keys, Payloads} = Tables = tables(Posts),
    %% While the posts are still in use: they are in the count before, too.
    Obvious = ets_bytes() - Before,
    Memory = memory(Posts, twitter_nif:memory(Index), table_bytes(Keys), Obvious),
    Page = crossing_series:pair(
        Options,
        <<"page/5: 20 posts of 500 friends × 100, with payloads"/utf8>>,
        fun() -> page(Index, Authors) end,
        fun() -> plain_page(Tables, Authors) end
    ),
    Put = put(Options, Index, Tables),
    Same = page(Index, Authors),
    Same = plain_page(Tables, Authors),
    true = ets:delete(Keys),
    true = ets:delete(Payloads),
    {[Page, Put], Memory}.

author(N) -> <<"author", (integer_to_binary(N))/binary, "@example.org">>.

%% At different moments of one year: all is spread, nothing comes twice.
times(Author) ->
    [time(Author, N) || N <- lists:seq(1, ?POSTS)].

time(Author, N) ->
    ?START + erlang:phash2({Author, N}, 1 bsl 32) * 7000 + erlang:phash2({N, Author}, 7000).

id(At) -> integer_to_binary(At, 16).

%% An Atom entry with a text of about 140 bytes, as twitter_index keeps it. Each has its own copy of
%% whatever is long.
payload(At) ->
    Text = iolist_to_binary([integer_to_binary(At), <<" ">>, lists:duplicate(25, <<"words">>)]),
    Element = fun(Name, Value) -> {xmlel, Name, [], [{xmlcdata, Value}]} end,
    {
        {At div 1_000_000_000_000, At div 1_000_000 rem 1_000_000, At rem 1_000_000},
        [
            {xmlel, <<"entry">>, [{<<"xmlns">>, <<"http://www.w3.org/2005/Atom">>}], [
                Element(<<"title">>, Text),
                Element(<<"id">>, <<"tag:example.org,2008:", (integer_to_binary(At))/binary>>),
                Element(<<"published">>, <<"2008-05-08T18:30:02Z">>),
                Element(<<"updated">>, <<"2008-05-08T18:30:02Z">>)
            ]}
        ]
    }.

filled(Authors, Posts) ->
    Index = twitter_nif:index_new(1 bsl 30, 1 bsl 30),
    By = maps:groups_from_list(fun({Author, _, _, _}) -> Author end, Posts),
    lists:foreach(
        fun(Author) ->
            Own = map_get(Author, By),
            Version = twitter_nif:version(Index, Author),
            Places = [{At, Id} || {_, At, Id, _} <- Own],
            taken = twitter_nif:load(Index, twitter_nif:hold_new(), Author, Version, Places),
            ok = twitter_nif:keep_payloads(Index, [
                {Author, Version, Id, term_to_binary(Payload)}
             || {_, _, Id, Payload} <- Own
            ])
        end,
        Authors
    ),
    Index.

tables(Posts) ->
    Keys = ets:new(keys, [ordered_set, public, {read_concurrency, true}]),
    Payloads = ets:new(payloads, [set, public, {read_concurrency, true}]),
    true = ets:insert(Keys, [{{Author, -At, Id}} || {Author, At, Id, _} <- Posts]),
    true = ets:insert(Payloads, [{{Author, Id}, copied(Payload)} || {Author, _, Id, Payload} <- Posts]),
    {Keys, Payloads}.

%% What is long must not be shared with the list that it comes from.
copied(Payload) -> binary_to_term(term_to_binary(Payload)).

page(Index, Authors) ->
    Request = {newest_first, first_page, ?LIMIT},
    {ok, {Posts, _, _, 0, _}} =
        twitter_nif:page(Index, twitter_nif:hold_new(), Authors, none, Request, 1_000_000),
    [{Author, Id, binary_to_term(Payload)} || {Author, Id, Payload} <- Posts].

plain_page({Keys, Payloads}, Authors) ->
    [
        {Author, Id, ets:lookup_element(Payloads, {Author, Id}, 2)}
     || {Author, Id} <- crossing_plain:page(Keys, Authors, ?LIMIT)
    ].

%% New posts of all authors, one after the other; in the end both have the same ones.
put(Options, Index, {Keys, Payloads}) ->
    Payload = payload(?START),
    Ours = fun(N) ->
        {Author, At} = post(N),
        Version = twitter_nif:version(Index, Author),
        twitter_nif:put(Index, Author, Version, At, id(At), term_to_binary(Payload)) =:= taken
    end,
    Obvious = fun(N) ->
        {Author, At} = post(N),
        true = ets:insert(Keys, {{Author, -At, id(At)}}),
        ets:insert(Payloads, {{Author, id(At)}, Payload})
    end,
    [One, Other] = Counters = [counters:new(1, []), counters:new(1, [])],
    Row = crossing_series:pair(
        Options,
        <<"version/2 and put/6: one more post">>,
        fun() -> Ours(next(One)) end,
        fun() -> Obvious(next(Other)) end
    ),
    %% Whoever was the faster got more of them.
    Last = lists:max([counters:get(Counter, 1) || Counter <- Counters]),
    true = lists:all(Ours, lists:seq(counters:get(One, 1) + 1, Last)),
    true = lists:all(Obvious, lists:seq(counters:get(Other, 1) + 1, Last)),
    Row.

next(Counter) ->
    ok = counters:add(Counter, 1, 1),
    counters:get(Counter, 1).

%% Later than all that is there.
post(N) ->
    {author(N rem ?FRIENDS + 1), ?START + 40_000_000_000_000 + N}.

%% Bytes for each post, and for a follower in a list of them.
memory(Posts, {Streams, Payloads, _, Count, Count}, KeyBytes, AllBytes) ->
    Count = length(Posts),
    Followers = ets:new(followers, [set]),
    true = ets:insert(Followers, {hd(Posts), [{crossing_pairs:user(N), <<"example.org">>} || N <- lists:seq(1, Count)]}),
    Edges = table_bytes(Followers),
    true = ets:delete(Followers),
    #{
        posts => Count,
        payload_bytes => lists:sum([erlang:external_size(Payload) || {_, _, _, Payload} <- Posts]) / Count,
        streams => #{ours => Streams / Count, obvious => KeyBytes / Count},
        all => #{ours => (Streams + Payloads) / Count, obvious => AllBytes / Count},
        edge => #{obvious => Edges / Count}
    }.

table_bytes(Table) -> ets:info(Table, memory) * erlang:system_info(wordsize).

%% Tables, and the binaries of more than 64 bytes, which lie beside them.
ets_bytes() ->
    _ = [erlang:garbage_collect(Pid) || Pid <- processes()],
    erlang:memory(ets) + erlang:memory(binary).
