%%% @doc Brings the changes of one author to a server that takes relays: each stanza says for whom of its users
%%% it is, by a digest, and the server asks for the list if it does not know that one. A server that has missed
%%% something says so, and gets that too. Runs in a {@link twitter_courier}.
-module(twitter_relays).

-include_lib("xmpp/include/xmpp.hrl").

-export([send/3]).

%% So many changes, and so many bytes of posts, are in one stanza at most, but for a post that is larger.
-define(MAX_CHANGES, 50).
-define(MAX_BYTES, 100_000).
%% What a change takes beside its payload, in bytes.
-define(OVERHEAD, 200).
%% So many posts get a server that has none of an author; so many at most one that lacks some.
-define(USUAL, 50).
-define(MAX_MISSED, 1000).

%% Of what lies between the version that the server had and the one that it should have had.
-type missed() :: none | {between, twitter_outbox:moment() | none, twitter_outbox:moment()}.

%% @doc Returns when the server has recorded all of it; what was recorded is noted after each stanza.
-spec send(twitter_courier:job(), Service :: binary(), twitter_outbox:work()) -> ok.
send(Job, Service, #{changes := Changes} = Work) ->
    case all(Job, Service, Work, none) of
        none ->
            tell_nobody(Job, Service);
        {between, Since, Until} ->
            Lacking = #{changes => lacking(Job, Since, Until, Changes), since => none, again => none, 'after' => none,
                        sent_to => <<>>},
            ok = twitter_courier:note(Job, Lacking),
            %% If it lacks anything still, there will be another post.
            _ = all(Job, Service, Lacking, none),
            ok
    end.

%% What has a version greater than `Since', or what is usual. What was changed after `Until' is owed by itself: sent here, it
%% would be known when it is to be pushed.
lacking(#{host := Host, author := Author}, Since, Until, Sent) ->
    All = lists:sort([{Version, Id} || {Id, Version} <- twitter_store:versions(Host, Author), Version =< Until]),
    {Lacking, Max} = case Since of
                         none -> {All, ?USUAL};
                         _ -> {[Post || {Version, _} = Post <- All, Version > Since], ?MAX_MISSED}
                     end,
    Known = maps:from_list([{Id, Version} || {item, Id, Version} <- Sent]),
    [{again, Id, Version} || {Version, Id} <- lists:nthtail(max(0, length(Lacking) - Max), Lacking),
                             maps:get(Id, Known, none) =/= Version].

-spec all(twitter_courier:job(), binary(), twitter_outbox:work(), missed()) -> missed().
all(_Job, _Service, #{changes := []}, Missed) ->
    Missed;
all(Job, Service, #{changes := Changes, 'after' := After} = Work, Missed) ->
    ok = twitter_courier:reach(Job, Service),
    {Portion, Quiet, Left} = portion(Job, Changes),
    Answer = put_portion(Job, Service, Portion, Quiet, After),
    Last = lists:max([twitter_outbox:version(Change) || Change <- lists:sublist(Changes, length(Changes) - length(Left))]),
    Next = Work#{changes := Left, 'after' := Last},
    ok = twitter_courier:note(Job, Next),
    all(Job, Service, Next, case {Missed, Answer} of
                                {none, {missed, Since}} -> {between, Since, After};
                                _ -> Missed
                            end).

%%% What is in a stanza

%% As many changes as one takes. Those that are not pushed come by themselves.
portion(Job, [First | _] = Changes) ->
    Quiet = is_quiet(First),
    Same = lists:takewhile(fun(Change) -> is_quiet(Change) =:= Quiet end, lists:sublist(Changes, ?MAX_CHANGES)),
    {Portion, Left} = fill(read(Job, Same), ?MAX_BYTES, []),
    {Portion, Quiet, Left ++ lists:nthtail(length(Same), Changes)}.

is_quiet({again, _, _}) -> true;
is_quiet(_) -> false.

fill([{_Change, nothing} | Read], Room, Filled) ->
    fill(Read, Room, Filled);
fill([{_Change, {Said, Bytes}} | Read], Room, Filled) when Bytes =< Room; Filled =:= [] ->
    fill(Read, Room - Bytes, [Said | Filled]);
fill(Read, _Room, Filled) ->
    {lists:reverse(Filled), [Change || {Change, _} <- Read]}.

%% What is to be said of each change now: nothing, if the post has gone or was edited once more.
read(#{host := Host, author := Author}, Changes) ->
    Posts = maps:from_list([{Id, Post} || #{id := Id} = Post
                                              <- twitter_store:posts(Host, [{Author, Id} || {What, Id, _} <- Changes,
                                                                                            What =/= retract])]),
    [{Change, said(Change, Posts)} || Change <- Changes].

said({retract, Id, Version}, _Posts) -> {{retract, Id, Version}, ?OVERHEAD + byte_size(Id)};
said({purge, Version}, _Posts) -> {{purge, Version}, ?OVERHEAD};
said({item, Id, Version}, Posts) -> post(maps:get(Id, Posts, gone), Version, changed);
said({again, Id, Version}, Posts) -> post(maps:get(Id, Posts, gone), Version, Version).

post(#{id := Id, at := At, changed := Changed, payload := Payload}, Version, As) when Changed =< Version ->
    Said = case As of
               changed -> Changed;
               _ -> As
           end,
    Bytes = lists:sum([byte_size(fxml:element_to_binary(El)) || #xmlel{} = El <- Payload]),
    {{item, Id, twitter_store:micros(At), Said, Payload}, ?OVERHEAD + byte_size(Id) + Bytes};
post(_GoneOrOwedByItself, _Version, _As) ->
    nothing.

%%% For whom it is

%% Where nobody is to see the author's posts any more, none is sent; only what has gone.
put_portion(Job, Service, Portion, Quiet, After) ->
    case readers(Job) of
        [] ->
            case [Gone || Gone <- Portion, element(1, Gone) =/= item] of
                [] -> tell_nobody(Job, Service), recorded;
                Gone -> put_relay(Job, Service, [], Gone, Quiet, After)
            end;
        _ when Portion =:= [] ->
            recorded;
        Readers ->
            put_relay(Job, Service, Readers, Portion, Quiet, After)
    end.

%% Of a contact that is a whole server nobody reads.
readers(Job) ->
    [Reader || Reader <- twitter_courier:readers(Job), binary:match(Reader, <<"@">>) =/= nomatch].

%% If nobody is to see the author's posts, the server is told so once.
tell_nobody(#{table := Table, peer := Peer, author := Author} = Job, Service) ->
    case twitter_outbox:told(Table, Peer, Author) =:= nobody orelse readers(Job) of
        [] ->
            _ = put_relay(Job, Service, [], [], true, none),
            ok;
        _ ->
            ok
    end.

put_relay(#{table := Table, peer := Peer, author := Author} = Job, Service, Readers, Changes, Quiet, After) ->
    {Digest, Audience} = twitter_relay:audience(Author, Readers),
    Relay = fun(Some) ->
                    maps:merge(#{author => Author, audience => Digest, sent => twitter_unread:moment(),
                                 quiet => Quiet, changes => Some},
                               maps:from_list([{'after', After} || is_integer(After), After > 0]))
            end,
    Answer = put_changes(Job, Service, Relay, Changes, Audience),
    ok = twitter_outbox:tell(Table, Peer, Author, case Readers of
                                                      [] -> nobody;
                                                      [_ | _] -> somebody
                                                  end),
    Answer.

put_changes(Job, Service, Relay, Changes, Audience) ->
    case answer(Job, Service, twitter_relay:relay(Relay(Changes))) of
        unknown_audience when Audience =/= told ->
            case lists:usort([answer(Job, Service, Part) || Part <- Audience]) of
                [recorded] ->
                    put_changes(Job, Service, Relay, Changes, told);
                _ ->
                    %% As far as that server knows none of them is a contact of the author's.
                    ok = count(Job, dropped),
                    recorded
            end;
        not_taken when length(Changes) > 1 ->
            %% The others may be.
            lists:last([put_changes(Job, Service, Relay, [Change], Audience) || Change <- Changes]);
        not_taken ->
            ok = count(Job, dropped),
            recorded;
        unknown_audience ->
            throw({stopped, senseless});
        Answer ->
            ok = count(Job, relayed),
            Answer
    end.

answer(Job, Service, El) ->
    case twitter_relay:answer(twitter_courier:ask(Job, Service, set, El)) of
        later -> throw({stopped, busy});
        forbidden -> throw({stopped, {refused, relay}});
        no_relay -> throw({stopped, gone});
        failed -> throw({stopped, senseless});
        Answer -> Answer
    end.

count(#{server_host := ServerHost}, Counter) ->
    case twitter_flow:find(ServerHost) of
        {ok, Flow} -> twitter_flow:count(Flow, Counter, 1);
        error -> ok
    end.
