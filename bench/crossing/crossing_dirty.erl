%%% The longest calls of what runs on a dirty scheduler, with the size that makes them so.
-module(crossing_dirty).

-export([all/1]).

-define(HOST, <<"example.org">>).
-define(AUTHOR, <<"author@example.org">>).

-spec all(crossing_series:options()) -> [crossing_series:row()].
all(Options) ->
    texts(Options) ++ lists_of(Options) ++ rosters(Options) ++ index(Options).

one(Options, Name, What, Prepare) ->
    crossing_series:longest(
        Options, Name, What, fun() -> {1, Prepare()} end, fun(_) -> ok end
    ).

size(Quick, Count) when Quick -> Count div 20;
size(_, Count) -> Count.

texts(Options) ->
    %% A stanza of 512 KiB: the largest that Debian's configuration lets another server send.
    Xml = <<"<a>", (binary:copy(<<"<b>text </b>">>, 43_000))/binary, "</a>">>,
    Payload = {element, Xml},
    [
        one(Options, check_draft, <<"512 KiB of elements">>, fun() ->
            fun(_) -> twitter_nif:check_draft(1, <<"id">>, 1, Payload, 1 bsl 30) end
        end),
        one(Options, text, <<"512 KiB of elements">>, fun() -> fun(_) -> twitter_nif:text(Payload) end end),
        one(Options, title, <<"512 KiB of elements">>, fun() -> fun(_) -> twitter_nif:title(Payload) end end)
    ].

lists_of(#{quick := Quick} = Options) ->
    Count = size(Quick, 100_000),
    Lines = [{crossing_pairs:user(N), ?HOST, <<>>, both} || N <- lists:seq(1, Count)],
    Ids = [User || {User, _, _, _} <- Lines],
    [
        one(Options, friends, count(Count, <<" contacts">>), fun() ->
            fun(_) -> twitter_nif:friends(?AUTHOR, Lines) end
        end),
        one(Options, batches, count(Count, <<" ids">>), fun() ->
            fun(_) -> twitter_nif:batches(Ids, 100_000) end
        end)
    ].

rosters(#{quick := Quick} = Options) ->
    {Rosters, Readers} = crossing_normal:large_roster(Quick),
    Count = length(Readers),
    Lines = [{crossing_pairs:user(N), ?HOST, <<>>, both} || N <- lists:seq(1, Count)],
    Online = twitter_nif:online_new(),
    Present = size(Quick, 200_000),
    lists:foreach(
        fun(N) -> twitter_nif:arrive(Online, crossing_pairs:user(N), self(), <<"phone">>) end,
        lists:seq(1, Present)
    ),
    Here = [{?HOST, Online}],
    Authors = [crossing_pairs:jid(N) || N <- lists:seq(1, size(Quick, 100_000))],
    Roster = count(Count, <<" lines">>),
    Noted = fun() ->
        {ok, Fanout} = twitter_nif:remembered_recipients(Rosters, ?AUTHOR, Here, [?HOST]),
        Fanout
    end,
    [
        one(Options, all_sessions, count(Present, <<" sessions">>), fun() ->
            fun(_) -> twitter_nif:all_sessions(Online) end
        end),
        one(Options, recipients, Roster, fun() ->
            fun(_) -> twitter_nif:recipients(?AUTHOR, Lines, Here, [?HOST]) end
        end),
        one(Options, recheck, Roster, fun() ->
            Fanout = Noted(),
            fun(_) -> twitter_nif:recheck(Fanout, Lines) end
        end),
        one(Options, roster_load, Roster, fun() ->
            New = twitter_nif:rosters_new(1 bsl 32),
            Version = twitter_nif:roster_version(New, ?AUTHOR),
            fun(_) -> taken = twitter_nif:roster_load(New, ?AUTHOR, Version, Readers) end
        end),
        one(Options, remembered_recipients, Roster, fun() ->
            fun(_) -> {ok, _} = twitter_nif:remembered_recipients(Rosters, ?AUTHOR, Here, [?HOST]) end
        end),
        one(Options, remembered_recheck, <<Roster/binary, ", read again since">>, fun() ->
            Fanout = Noted(),
            ok = crossing_pairs:loaded(Rosters, ?AUTHOR, Readers),
            fun(_) -> {ok, checked} = twitter_nif:remembered_recheck(Rosters, ?AUTHOR, Fanout) end
        end),
        one(Options, sees, count(length(Authors), <<" authors">>), fun() ->
            fun(_) -> twitter_nif:sees(Rosters, ?AUTHOR, Authors) end
        end),
        waiting(Options, roster_version, Rosters, Readers, fun(_) ->
            twitter_nif:roster_version(Rosters, ?AUTHOR)
        end),
        one(Options, roster_changed, Roster, fun() ->
            ok = crossing_pairs:loaded(Rosters, ?AUTHOR, Readers),
            fun(_) -> twitter_nif:roster_changed(Rosters, ?AUTHOR) end
        end),
        one(Options, rosters_reset, Roster, fun() ->
            ok = crossing_pairs:loaded(Rosters, ?AUTHOR, Readers),
            fun(_) -> twitter_nif:rosters_reset(Rosters) end
        end)
    ].

%% What waits for one who loads a large roster.
waiting(Options, Name, Rosters, Readers, Fun) ->
    crossing_series:longest(
        Options,
        Name,
        count(length(Readers), <<" lines being loaded for another">>),
        fun() ->
            Loader = spawn_link(fun() -> load_again(Rosters, Readers) end),
            put(loader, Loader),
            {200, Fun}
        end,
        fun(_) ->
            Loader = get(loader),
            unlink(Loader),
            exit(Loader, kill)
        end
    ).

load_again(Rosters, Readers) ->
    ok = crossing_pairs:loaded(Rosters, <<"other@example.org">>, Readers),
    load_again(Rosters, Readers).

index(#{quick := Quick} = Options) ->
    %% An author who never deletes, where `max_posts' is `unlimited'.
    Count = size(Quick, 1_000_000),
    Places = [{N, id(N)} || N <- lists:seq(1, Count)],
    Many = [crossing_pairs:jid(N) || N <- lists:seq(1, size(Quick, 10_000))],
    Posts = count(Count, <<" posts of one author">>),
    Friends = count(length(Many), <<" friends × 50 posts"/utf8>>),
    Fill = fun(Index, Author, Some) ->
        Version = twitter_nif:version(Index, Author),
        taken = twitter_nif:load(Index, twitter_nif:hold_new(), Author, Version, Some)
    end,
    New = fun() -> twitter_nif:index_new(1 bsl 32, 1 bsl 32) end,
    One = New(),
    Fill(One, ?AUTHOR, Places),
    All = New(),
    lists:foreach(fun(Author) -> Fill(All, Author, lists:sublist(Places, 50)) end, Many),
    Page = fun(Index, Authors, Anchor) ->
        fun(_) ->
            Request = {newest_first, Anchor, 1000},
            {ok, _} = twitter_nif:page(Index, twitter_nif:hold_new(), Authors, none, Request, 1_000_000)
        end
    end,
    [
        one(Options, load, Posts, fun() ->
            Index = New(),
            fun(_) -> Fill(Index, ?AUTHOR, Places) end
        end),
        one(Options, put, Posts, fun() ->
            fun(_) ->
                Version = twitter_nif:version(One, ?AUTHOR),
                taken = twitter_nif:put(One, ?AUTHOR, Version, 1, id(Count + 1), <<>>)
            end
        end),
        one(Options, remove, Posts, fun() ->
            fun(_) ->
                Version = twitter_nif:version(One, ?AUTHOR),
                taken = twitter_nif:remove(One, ?AUTHOR, Version, id(Count + 1))
            end
        end),
        one(Options, page, <<Posts/binary, ", 1,000 in the middle">>, fun() ->
            Page(One, [?AUTHOR], {index, Count div 2})
        end),
        one(Options, page, <<Friends/binary, ", the newest 1,000">>, fun() -> Page(All, Many, first_page) end),
        one(Options, page, <<Friends/binary, ", 1,000 in the middle">>, fun() ->
            Page(All, Many, {index, length(Many) * 25})
        end),
        one(Options, find, <<Friends/binary, ", one id">>, fun() ->
            fun(_) ->
                {ok, [_ | _]} = twitter_nif:find(All, twitter_nif:hold_new(), Many, none, [id(1)], 1_000_000)
            end
        end),
        one(Options, set_budgets, <<Friends/binary, ", to nothing">>, fun() ->
            Index = New(),
            lists:foreach(fun(Author) -> Fill(Index, Author, lists:sublist(Places, 50)) end, Many),
            fun(_) -> twitter_nif:set_budgets(Index, 0, 0) end
        end),
        one(Options, forget, Posts, fun() ->
            Index = New(),
            Fill(Index, ?AUTHOR, Places),
            fun(_) -> twitter_nif:forget(Index, ?AUTHOR) end
        end)
    ].

id(N) -> integer_to_binary(16#1000000000000000 + N, 16).

count(Count, What) when Count >= 1_000_000 ->
    iolist_to_binary(io_lib:format("~b,~3..0b,~3..0b~s", [
        Count div 1_000_000, Count div 1000 rem 1000, Count rem 1000, What
    ]));
count(Count, What) when Count >= 1000 ->
    iolist_to_binary([integer_to_binary(Count div 1000), io_lib:format(",~3..0b", [Count rem 1000]), What]);
count(Count, What) ->
    <<(integer_to_binary(Count))/binary, What/binary>>.
